// Reports as text: Markdown tables, percentages with intervals, JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/eval/statistics.h"

namespace quaver {

// The first row is the heading. Columns are padded so that the source reads
// as a table; the first is aligned left, all others right.
std::string MarkdownTable(const std::vector<std::vector<std::string>>& rows);

// Shares in [0, 1] as "92.4 (90.1-94.6)".
std::string PercentCell(const Interval& share);
// "0.824 (0.807-0.840)".
std::string NumberCell(const Interval& number);

// A difference of shares in points: "-0.10 (-0.24 to +0.02)".
std::string DifferenceCell(const Interval& difference);

// {"value", "low", "high"}.
nlohmann::json ToJson(const Interval& interval);

}  // namespace quaver
