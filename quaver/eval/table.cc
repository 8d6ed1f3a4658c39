// Markdown tables and cells.
#include "quaver/eval/table.h"

#include <algorithm>

#include <fmt/format.h>

#include "quaver/text/edit_distance.h"

namespace quaver {
namespace {

std::string Line(const std::vector<std::string>& cells,
                 const std::vector<size_t>& widths) {
  std::string line = "|";
  for (size_t i = 0; i < widths.size(); ++i) {
    const std::string cell = i < cells.size() ? cells[i] : "";
    const auto width = static_cast<size_t>(CodePointCount(cell));
    const std::string padding(widths[i] - width, ' ');
    line += i == 0 ? fmt::format(" {}{} |", cell, padding)
                   : fmt::format(" {}{} |", padding, cell);
  }
  return line + "\n";
}

std::string Rule(const std::vector<size_t>& widths) {
  std::string line = "|";
  for (size_t i = 0; i < widths.size(); ++i) {
    line += i == 0 ? fmt::format(" {} |", std::string(widths[i], '-'))
                   : fmt::format(" {}: |", std::string(widths[i] - 1, '-'));
  }
  return line + "\n";
}

}  // namespace

std::string MarkdownTable(const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return "";
  std::vector<size_t> widths(rows.front().size(), 3);
  for (const auto& row : rows) {
    for (size_t i = 0; i < std::min(row.size(), widths.size()); ++i) {
      widths[i] =
          std::max(widths[i], static_cast<size_t>(CodePointCount(row[i])));
    }
  }
  std::string table = Line(rows.front(), widths) + Rule(widths);
  for (size_t i = 1; i < rows.size(); ++i) table += Line(rows[i], widths);
  return table;
}

std::string PercentCell(const Interval& share) {
  return fmt::format("{:.1f} ({:.1f}-{:.1f})", 100 * share.value,
                     100 * share.low, 100 * share.high);
}

std::string NumberCell(const Interval& number) {
  return fmt::format("{:.3f} ({:.3f}-{:.3f})", number.value, number.low,
                     number.high);
}

std::string DifferenceCell(const Interval& difference) {
  return fmt::format("{:+.2f} ({:+.2f} to {:+.2f})", 100 * difference.value,
                     100 * difference.low, 100 * difference.high);
}

nlohmann::json ToJson(const Interval& interval) {
  return {{"value", interval.value},
          {"low", interval.low},
          {"high", interval.high}};
}

}  // namespace quaver
