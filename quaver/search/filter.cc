// See filter.h.
#include "quaver/search/filter.h"

#include <charconv>

#include "quaver/catalogue/entity.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

absl::Status Misunderstood(std::string_view condition,
                           std::string_view expected) {
  return absl::InvalidArgumentError(fmt::format(
      "filter: '{}' is not understood; expected {}", condition, expected));
}

// A year, or nothing for an empty text.
absl::StatusOr<std::optional<int>> ParseYear(std::string_view text,
                                             std::string_view condition) {
  if (text.empty()) return std::optional<int>();
  int year = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), year);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Misunderstood(condition, "year:1985 or year:1980..1989");
  }
  return std::optional<int>(year);
}

absl::Status ParseYears(std::string_view value, std::string_view condition,
                        Filter& filter) {
  const size_t dots = value.find("..");
  const bool range = dots != std::string_view::npos;
  const auto first = value.substr(0, dots);
  const auto last = range ? value.substr(dots + 2) : first;
  ASSIGN_OR_RETURN(filter.min_year, ParseYear(first, condition));
  ASSIGN_OR_RETURN(filter.max_year, ParseYear(last, condition));
  if (!filter.min_year && !filter.max_year) {
    return Misunderstood(condition, "year:1985 or year:1980..1989");
  }
  return absl::OkStatus();
}

absl::Status ParseCondition(std::string_view condition, Filter& filter) {
  const size_t colon = condition.find(':');
  if (colon == std::string_view::npos) {
    return Misunderstood(condition, "field:value");
  }
  const std::string_view field = condition.substr(0, colon);
  const std::string_view value = condition.substr(colon + 1);
  if (field == "year") return ParseYears(value, condition, filter);
  for (const std::string_view alternative : Split(value, '|')) {
    const std::string text = Normalize(alternative);
    if (text.empty()) return Misunderstood(condition, "a value");
    if (field == "genre") {
      filter.genres.push_back(text);
    } else if (field == "artist") {
      filter.artists.push_back(text);
    } else if (field == "type") {
      RETURN_IF_ERROR(ParseEntityType(text).status());
      filter.types.push_back(text);
    } else {
      return Misunderstood(condition, "genre, artist, type or year");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Filter> ParseFilter(std::string_view text) {
  Filter filter;
  for (const std::string_view condition : Split(text, ';')) {
    if (condition.empty()) continue;
    RETURN_IF_ERROR(ParseCondition(condition, filter));
  }
  return filter;
}

}  // namespace quaver
