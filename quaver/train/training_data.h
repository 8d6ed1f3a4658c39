// What a run learns from and is judged by.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/noise/noise.h"
#include "quaver/noise/pairs.h"
#include "quaver/noise/search_texts.h"

namespace quaver {

struct TrainingSource {
  std::vector<std::string> catalogue;  // for ReadSearchTexts
  std::string misspellings;            // for Misspellings::Load; "": our own
  std::string pairs;  // a file of typed TAB meant, instead of the two
  PairConfig config;  // of pairs that are made
};

struct TrainingData {
  std::string hash;   // of all that was read
  SearchTexts texts;  // none for given pairs
  // A misspelling is in one of them only: what is learned from is not what is
  // judged by.
  std::unique_ptr<const Noise> noise, judging_noise;
  std::unique_ptr<const PairMaker> maker;  // uses `noise`
};

// InvalidArgument naming the line of `pairs` that has no tab; else as the
// readers of the files and PairMaker say. Warns of a catalogue's bad lines.
absl::StatusOr<TrainingData> ReadTrainingData(const TrainingSource& source);

}  // namespace quaver
