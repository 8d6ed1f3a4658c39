// How a run goes: lines of JSON, a progress line, a page with curves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

// One line of metrics.jsonl. Absent values are left out.
struct Metric {
  int64_t step = 0;
  double seconds = 0;  // since the run began, pauses left out
  double loss = 0;     // of training, mean since the line before
  double learning_rate = 0;
  double gradient_norm = 0;
  double tokens_per_s = 0;  // useful ones, since the line before
  double mfu = 0;           // share of the product peak
  // After an evaluation only:
  bool evaluated = false;
  double held_out_loss = 0;
  double score = 0;
  std::vector<std::pair<std::string, double>> exact_fix;  // shares, by set

  bool operator==(const Metric&) const = default;
};

std::string ToJsonLine(const Metric& metric);
// InvalidArgument naming the line.
absl::StatusOr<std::vector<Metric>> ParseMetrics(std::string_view lines);

// "step 1,200/20,000  loss 1.234  8,900 tokens/s  MFU 21 %  exact 61.2 %
// false 1.0 %  1:23:45 left", exact and false as of the last evaluation.
std::string ProgressLine(const std::vector<Metric>& metrics, int64_t steps);

// One HTML file with curves of everything, the recipe and the figures; nothing
// is loaded from elsewhere. `title` and `recipe` are shown as they are.
std::string ReportHtml(const std::string& title,
                       const std::vector<Metric>& metrics,
                       const std::string& recipe);

}  // namespace quaver
