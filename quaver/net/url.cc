// See url.h.
#include "quaver/net/url.h"

#include <algorithm>

namespace quaver {
namespace {

// -1 when it is no hexadecimal digit.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

absl::StatusOr<std::string> DecodeQueryPart(std::string_view part) {
  std::string text(part);
  std::replace(text.begin(), text.end(), '+', ' ');
  return PercentDecode(text);
}

absl::StatusOr<HttpFields> ParseQuery(std::string_view query) {
  HttpFields fields;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view field = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (field.empty()) continue;
    const size_t equals = std::min(field.find('='), field.size());
    ASSIGN_OR_RETURN(std::string name,
                     DecodeQueryPart(field.substr(0, equals)));
    ASSIGN_OR_RETURN(
        std::string value,
        DecodeQueryPart(field.substr(std::min(equals + 1, field.size()))));
    fields.emplace_back(std::move(name), std::move(value));
  }
  return fields;
}

// Drops "http://host" from the absolute form that proxies use.
std::string_view DropAuthority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const size_t slash = target.find('/', scheme.size());
    return slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  return target;
}

}  // namespace

absl::StatusOr<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return absl::InvalidArgumentError(
          fmt::format("\"{}\" is no percent-encoded byte: write % as %25",
                      text.substr(i, 3)));
    }
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

std::string PercentEncode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (IsUnreserved(c)) {
      encoded.push_back(c);
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

absl::StatusOr<Target> ParseTarget(std::string_view target) {
  if (target == "*") return Target{.path = "*", .query = {}};
  target = DropAuthority(target);
  if (!target.starts_with('/')) {
    return absl::InvalidArgumentError(
        "the request target must be a path that starts with '/'");
  }
  const size_t mark = std::min(target.find('?'), target.size());
  Target parsed;
  parsed.path = target.substr(0, mark);
  RETURN_IF_ERROR(PercentDecode(parsed.path).status());
  ASSIGN_OR_RETURN(
      parsed.query,
      ParseQuery(target.substr(std::min(mark + 1, target.size()))));
  return parsed;
}

absl::StatusOr<std::vector<std::string>> SplitPath(std::string_view path) {
  std::vector<std::string> parts;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    ASSIGN_OR_RETURN(std::string part, PercentDecode(path.substr(0, end)));
    parts.push_back(std::move(part));
    path.remove_prefix(end);
  }
  return parts;
}

}  // namespace quaver
