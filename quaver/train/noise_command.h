// `quaver-train noise`: shows training pairs, fits the rates of confusions.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

struct ShowNoiseOptions {
  std::vector<std::string> catalogue;  // for ReadSearchTexts
  std::string misspellings;            // for Misspellings::Load; "": our own
  uint64_t seed = 1;
  int64_t show = 50;
};

// Writes `show` training pairs, one a line: typed, tab, meant; pairs that are
// equal as "= text".
absl::Status ShowNoise(const ShowNoiseOptions& options, std::ostream& out);

struct FitNoiseOptions {
  std::vector<std::string> pairs;  // files of wrong TAB right words
  int64_t least = 40;              // examples that support a rule
  int64_t max_rules = 1'800;
};

// Fits confusions to real misspellings and writes them as the source of
// noise/internal/confusion_rates.cc, with what share of edits they explain.
absl::Status FitNoise(const FitNoiseOptions& options, std::ostream& out);

}  // namespace quaver
