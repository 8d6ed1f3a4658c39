// See parameters.h.
#include "quaver/api/parameters.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/ranges.h>

namespace quaver {
namespace {

// What of a wrong value is quoted: enough to recognise it.
constexpr size_t kMaxQuotedBytes = 80;

std::string Quoted(std::string_view value) {
  if (value.size() <= kMaxQuotedBytes) return fmt::format("\"{}\"", value);
  return fmt::format("\"{}...\"", value.substr(0, kMaxQuotedBytes));
}

}  // namespace

Parameters::Parameters(const HttpRequest& request,
                       std::initializer_list<std::string_view> known)
    : query_(request.query) {
  for (const auto& [name, value] : query_) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      Fail(name, fmt::format("there is no parameter {}, only {}", Quoted(name),
                             fmt::join(known, ", ")));
    }
    const auto same_name = [&name = name](const auto& field) {
      return field.first == name;
    };
    if (std::count_if(query_.begin(), query_.end(), same_name) > 1) {
      Fail(name, fmt::format("{} is given more than once", name));
    }
  }
}

const std::string& Parameters::Text(std::string_view name) const {
  static const std::string kNothing;
  const std::string* value = FindField(query_, name);
  return value == nullptr ? kNothing : *value;
}

int Parameters::Integer(std::string_view name, int fallback, int least,
                        int most) {
  const std::string* value = FindField(query_, name);
  if (value == nullptr) return fallback;
  int number = 0;
  const char* end = value->data() + value->size();
  const auto [rest, error] = std::from_chars(value->data(), end, number);
  if (error == std::errc() && rest == end && number >= least &&
      number <= most) {
    return number;
  }
  Fail(name, fmt::format("{} must be a whole number from {} to {}, not {}",
                         name, least, most, Quoted(*value)));
  return fallback;
}

bool Parameters::Flag(std::string_view name) {
  const std::string* value = FindField(query_, name);
  if (value == nullptr || *value == "false" || *value == "0") return false;
  if (*value == "true" || *value == "1") return true;
  Fail(name,
       fmt::format("{} must be true or false, not {}", name, Quoted(*value)));
  return false;
}

std::string_view Parameters::Choice(
    std::string_view name, std::initializer_list<std::string_view> choices) {
  const std::string* value = FindField(query_, name);
  if (value == nullptr) return *choices.begin();
  for (const std::string_view choice : choices) {
    if (*value == choice) return choice;
  }
  Fail(name, fmt::format("{} must be {}, not {}", name,
                         fmt::join(choices, " or "), Quoted(*value)));
  return *choices.begin();
}

std::vector<EntityType> Parameters::Types(std::string_view name) {
  std::vector<EntityType> types;
  std::string_view rest = Text(name);
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view word = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const auto type = ParseEntityType(word.substr(0, kMaxQuotedBytes));
    if (!type.ok()) {
      Fail(name, fmt::format("{}: {}", name, Message(type.status())));
      return {};
    }
    if (std::find(types.begin(), types.end(), *type) == types.end()) {
      types.push_back(*type);
    }
  }
  return types;
}

Filter Parameters::FilterOf(std::string_view name) {
  auto filter = ParseFilter(Text(name));
  if (filter.ok()) return *std::move(filter);
  Fail(name, Message(filter.status()));
  return {};
}

void Parameters::Fail(std::string_view name, std::string_view message) {
  if (!error_) error_ = ErrorResponse(400, message, name);
}

}  // namespace quaver
