// A line of JSON as a row; see fields.h.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/catalogue/internal/fields.h"
#include "quaver/catalogue/internal/lines.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using nlohmann::json;

// A row, its attributes, a list in them; anything deeper is not ours, and
// recursion over it could exhaust the stack.
constexpr int kMaxDepth = 8;

absl::StatusOr<json> ParseObject(std::string_view line) {
  if (line.size() > kMaxLineBytes) {
    return absl::InvalidArgumentError(
        fmt::format("the line is longer than {} bytes", kMaxLineBytes));
  }
  bool too_deep = false;
  const auto check_depth = [&](int depth, json::parse_event_t, json&) {
    too_deep |= depth > kMaxDepth;
    return !too_deep;
  };
  try {
    json object = json::parse(CleanUtf8(line), check_depth);
    if (too_deep) {
      return absl::InvalidArgumentError(
          fmt::format("JSON nested deeper than {}", kMaxDepth));
    }
    if (object.is_object()) return object;
    return absl::InvalidArgumentError(
        fmt::format("a JSON object is expected, this is {} {}",
                    object.is_array() ? "an" : "a", object.type_name()));
  } catch (const json::exception& error) {
    const std::string what = error.what();  // "[json.exception.N] reason"
    const size_t end = what.find("] ");
    return absl::InvalidArgumentError(
        "not JSON: " +
        (end == std::string::npos ? what : what.substr(end + 2)));
  }
}

bool IsScalar(const json& value) {
  return value.is_string() || value.is_number() || value.is_boolean();
}

std::string ScalarText(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Scalars as they are, lists of scalars joined by ", "; absent for the rest.
std::optional<std::string> TextOf(const json& value) {
  if (IsScalar(value)) return ScalarText(value);
  if (!value.is_array()) return std::nullopt;
  std::string text;
  for (const json& item : value) {
    if (!IsScalar(item)) return std::nullopt;
    if (!text.empty()) text += ", ";
    text += ScalarText(item);
  }
  return text;
}

absl::Status WrongType(const std::string& name, const json& value,
                       std::string_view expected) {
  return absl::InvalidArgumentError(
      fmt::format("{} must be {}, not {}", name, expected, value.type_name()));
}

absl::Status SetTracks(const std::string& name, const json& value,
                       RawRow& row) {
  if (value.is_string()) {
    row.Set({Field::kTracks, ""}, value.get<std::string>());
    return absl::OkStatus();
  }
  if (!value.is_array()) return WrongType(name, value, "a list of ids");
  row.Set({Field::kTracks, ""}, "");
  for (const json& track : value) {
    if (!track.is_string() && !track.is_number_integer()) {
      return WrongType(name, track, "a list of ids");
    }
    row.tracks.push_back(ScalarText(track));
  }
  return absl::OkStatus();
}

void SetAttribute(const std::string& name, const json& value, RawRow& row) {
  row.Set({Field::kAttribute, name}, TextOf(value).value_or(value.dump()));
}

absl::Status SetValue(const Column& column, const std::string& name,
                      const json& value, RawRow& row) {
  if (column.field == Field::kIgnored || value.is_null()) {
    return absl::OkStatus();
  }
  if (column.field == Field::kTracks) return SetTracks(name, value, row);
  if (column.field != Field::kAttribute) {
    const std::optional<std::string> text = TextOf(value);
    if (!text) return WrongType(name, value, "a text");
    const bool number =
        column.field == Field::kYear || column.field == Field::kPopularity;
    if (number && !value.is_string() && !value.is_number()) {
      return WrongType(name, value, "a number");
    }
    row.Set(column, *text);
    return absl::OkStatus();
  }
  if (column.name == "attributes" && value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      if (!item.is_null()) SetAttribute(key, item, row);
    }
    return absl::OkStatus();
  }
  SetAttribute(column.name, value, row);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RawRow> ParseJsonRow(
    std::string_view line, const std::map<std::string, std::string>& map) {
  ASSIGN_OR_RETURN(const json object, ParseObject(line));
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  const std::vector<Column> columns = MapColumns(names, map);
  RawRow row;
  for (size_t i = 0; i < names.size(); ++i) {
    RETURN_IF_ERROR(SetValue(columns[i], names[i], object.at(names[i]), row));
  }
  return row;
}

}  // namespace quaver
