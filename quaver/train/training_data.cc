// See training_data.h.
#include "quaver/train/training_data.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/base/log.h"
#include "quaver/noise/misspellings.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

// Of the texts, as they were read.
uint64_t HashOf(const SearchTexts& texts) {
  uint64_t hash = 0;
  const auto add = [&](const std::string& text) { hash = Hash64(text, hash); };
  for (const TrackName& track : texts.tracks) {
    add(track.title);
    add(track.artist);
  }
  for (const auto* all : {&texts.names, &texts.descriptions, &texts.tags}) {
    for (const std::string& text : *all) add(text);
  }
  return hash;
}

// Pairs of a file, comparable.
absl::StatusOr<std::vector<Pair>> PairsOf(const std::string& text,
                                          const std::string& path) {
  std::vector<Pair> pairs;
  for (size_t begin = 0, line = 1; begin < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const size_t tab = text.find('\t', begin);
    if (tab >= end) {
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: expected what is typed, a tab and what is meant",
                      path, line));
    }
    Pair pair = {ComparableText(text.substr(begin, tab - begin)),
                 ComparableText(text.substr(tab + 1, end - tab - 1))};
    if (!pair.typed.empty() && !pair.meant.empty()) {
      pairs.push_back(std::move(pair));
    }
    begin = end + 1;
  }
  return pairs;
}

absl::StatusOr<TrainingData> ReadPairs(const std::string& path) {
  TrainingData data;
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(std::vector<Pair> pairs, PairsOf(text, path));
  data.hash = Hex64(Hash64(text, 0));
  data.noise = std::make_unique<Noise>();
  data.judging_noise = std::make_unique<Noise>();
  ASSIGN_OR_RETURN(data.maker, PairMaker::FromPairs(std::move(pairs)));
  return data;
}

}  // namespace

absl::StatusOr<TrainingData> ReadTrainingData(const TrainingSource& source) {
  if (!source.pairs.empty()) return ReadPairs(source.pairs);
  TrainingData data;
  int64_t bad_lines = 0;
  ASSIGN_OR_RETURN(data.texts, ReadSearchTexts(source.catalogue, &bad_lines));
  if (bad_lines > 0) LogWarning("{} bad lines were left out", bad_lines);
  uint64_t hash = HashOf(data.texts);
  Misspellings misspellings = Misspellings::Common();
  if (!source.misspellings.empty()) {
    ASSIGN_OR_RETURN(misspellings, Misspellings::Load(source.misspellings));
    ASSIGN_OR_RETURN(const std::string text, ReadFile(source.misspellings));
    hash = Hash64(text, hash);
  }
  data.hash = Hex64(hash);
  data.noise = std::make_unique<Noise>(NoiseConfig(), misspellings.Part(false));
  data.judging_noise =
      std::make_unique<Noise>(NoiseConfig(), misspellings.Part(true));
  ASSIGN_OR_RETURN(data.maker,
                   PairMaker::Create(data.texts, *data.noise, source.config));
  LogInfo("{} tracks, {} other names, {} descriptions, {} hard negatives",
          data.texts.tracks.size(), data.texts.names.size(),
          data.texts.descriptions.size(), data.maker->num_hard_negatives());
  return data;
}

}  // namespace quaver
