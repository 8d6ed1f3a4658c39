// Reads tab-separated files.
#include "quaver/eval/tsv.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "quaver/base/file.h"

namespace quaver {
namespace {

std::vector<std::string_view> Columns(std::string_view line) {
  std::vector<std::string_view> columns;
  for (;;) {
    const size_t tab = line.find('\t');
    columns.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return columns;
    line.remove_prefix(tab + 1);
  }
}

}  // namespace

absl::Status ForEachRow(
    const std::string& path,
    const std::function<
        absl::Status(const std::vector<std::string_view>& columns)>& visit) {
  ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  std::string_view left = content;
  for (size_t number = 1; !left.empty(); ++number) {
    const size_t end = std::min(left.find('\n'), left.size());
    std::string_view line = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const absl::Status status = visit(Columns(line));
    if (!status.ok()) {
      return Annotate(status, fmt::format("{}:{}", path, number));
    }
  }
  return absl::OkStatus();
}

absl::Status ForEachNamedRow(
    const std::string& path, const std::vector<std::string>& names,
    const std::function<
        absl::Status(const std::vector<std::string_view>& values)>& visit) {
  std::vector<size_t> places;
  return ForEachRow(
      path, [&](const std::vector<std::string_view>& row) -> absl::Status {
        if (places.empty()) {
          for (const std::string& name : names) {
            const auto found = std::find(row.begin(), row.end(), name);
            if (found == row.end()) {
              return absl::InvalidArgumentError(
                  fmt::format("the heading has no column '{}', only {}", name,
                              fmt::join(row, ", ")));
            }
            places.push_back(static_cast<size_t>(found - row.begin()));
          }
          return absl::OkStatus();
        }
        std::vector<std::string_view> values;
        for (const size_t place : places) {
          values.push_back(place < row.size() ? row[place]
                                              : std::string_view());
        }
        return visit(values);
      });
}

absl::StatusOr<double> ParseNumber(std::string_view text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() ||
      !std::isfinite(number)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not a number", text));
  }
  return number;
}

}  // namespace quaver
