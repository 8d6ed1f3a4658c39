// See json_body.h.
#include "quaver/serve/internal/json_body.h"

#include <algorithm>

namespace quaver {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool FitsInteger(std::string_view digits, bool is_negative) {
  constexpr std::string_view kMostNegative = "9223372036854775808";
  constexpr std::string_view kMost = "18446744073709551615";
  const std::string_view most = is_negative ? kMostNegative : kMost;
  return digits.size() != most.size() ? digits.size() < most.size()
                                      : digits <= most;
}

// The same JSON with integers of more than 64 bits written as floats, which
// others take them for: JavaScript writes 1e20 in full.
std::string WithoutBigIntegers(std::string_view text) {
  std::string changed;
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i++;
    if (in_string && text[begin] == '\\') {
      i = std::min(i + 1, text.size());
    } else if (text[begin] == '"') {
      in_string = !in_string;
    } else if (!in_string && IsDigit(text[begin])) {
      const auto is_in_number = [](char c) {
        return IsDigit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' ||
               c == '-';
      };
      while (i < text.size() && is_in_number(text[i])) ++i;
    }
    const std::string_view part = text.substr(begin, i - begin);
    changed += part;
    if (part.size() > 1 && std::all_of(part.begin(), part.end(), IsDigit) &&
        !FitsInteger(part, begin > 0 && text[begin - 1] == '-')) {
      changed += "e0";
    }
  }
  return changed;
}

}  // namespace

absl::Status NestingError() {
  return absl::InvalidArgumentError(fmt::format(
      "JSON nesting depth exceeds maximum allowed limit ({})", kMaxNesting));
}

absl::Status JsonBody::Parse(std::string_view text) {
  if (text.size() > kMaxJsonBytes) {
    return absl::InvalidArgumentError(
        fmt::format("request JSON size of {} bytes exceeds the maximum allowed "
                    "input size of {} bytes",
                    text.size(), kMaxJsonBytes));
  }
  simdjson::error_code error = parser_.allocate(text.size(), kMaxDocumentDepth);
  simdjson::dom::element element;
  if (error == simdjson::SUCCESS) {
    error = parser_.parse(text.data(), text.size()).get(element);
  }
  if (error == simdjson::NUMBER_ERROR) {
    const std::string changed = WithoutBigIntegers(text);
    error = parser_.parse(changed).get(element);
  }
  if (error == simdjson::DEPTH_ERROR) return NestingError();
  if (error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(
        fmt::format("failed to parse the request JSON: {}",
                    simdjson::error_message(error)));
  }
  if (element.get(root_) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("the request JSON is not an object");
  }
  return absl::OkStatus();
}

}  // namespace quaver
