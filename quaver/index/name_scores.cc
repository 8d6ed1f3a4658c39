// See name_scores.h.
#include "quaver/index/name_scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace quaver {
namespace {

// The sum of a name that has all of the query's n-grams; 16 bits keep the
// sums of 300,000 names in the L2 cache.
constexpr float kAllUnits = 60'000;
constexpr int kBuckets = 1024;  // of values

// Where the `count` greatest values begin, to a bucket.
uint16_t LeastOfBest(std::span<const uint16_t> values,
                     std::span<const uint32_t> names, uint16_t greatest,
                     size_t count) {
  const int width = greatest / kBuckets + 1;
  std::array<uint32_t, kBuckets> counts = {};
  for (const uint32_t name : names) ++counts[values[name] / width];
  int bucket = greatest / width;
  for (size_t kept = counts[bucket]; bucket > 0; --bucket) {
    kept += counts[bucket - 1];
    if (kept > count) break;
  }
  return static_cast<uint16_t>(bucket * width);
}

}  // namespace

NameScores::NameScores(const LexicalIndex& lexical, std::span<const Gram> grams,
                       std::span<const Gram> guesses, NameScoreArrays& arrays)
    : lexical_(lexical), arrays_(arrays) {
  std::vector<WeighedGram> known;
  norm_ = std::sqrt(Weigh(grams, known));
  Weigh(guesses, known);
  AddUp(known);
}

float NameScores::Weigh(std::span<const Gram> grams,
                        std::vector<WeighedGram>& known) const {
  float square = 0;
  for (const Gram gram : grams) {
    const std::optional<uint32_t> found = lexical_.FindGram(gram);
    const float idf =
        lexical_.GramIdf(found ? lexical_.gram_names(*found).size() : 0);
    square += idf * idf;
    if (found) known.push_back({*found, idf * idf});
  }
  return square;
}

void NameScores::AddUp(std::span<const WeighedGram> grams) {
  std::vector<uint16_t>& units = arrays_.units;
  units.assign(lexical_.padded_names(), 0);
  float total = 0;
  for (const WeighedGram& gram : grams) total += gram.weight;
  unit_ = total / kAllUnits;
  std::vector<const uint32_t*> bitmaps;
  std::vector<uint16_t> weights;
  for (const auto& [gram, weight] : grams) {
    const auto added = static_cast<uint16_t>(weight / unit_);
    if (const uint32_t* bitmap = lexical_.gram_bitmap(gram)) {
      bitmaps.push_back(bitmap);
      weights.push_back(added);
      continue;
    }
    for (const uint32_t name : lexical_.gram_names(gram)) {
      units[name] = static_cast<uint16_t>(units[name] + added);
    }
  }
  lexical_.tally().add_weights(bitmaps.data(), weights.data(), bitmaps.size(),
                               units.size(), units.data());
}

std::span<const uint32_t> NameScores::Best(size_t count) {
  const size_t padded = arrays_.units.size();
  const TallyKernels& tally = lexical_.tally();
  arrays_.values.resize(padded);
  arrays_.names.resize(padded);
  const uint16_t greatest =
      tally.scale(arrays_.units.data(), lexical_.gram_scales().data(), padded,
                  arrays_.values.data());
  const auto floor = static_cast<uint16_t>(
      std::max(1.0f, kLeastShare * static_cast<float>(greatest)));
  size_t num_names =
      tally.select(arrays_.values.data(), padded, floor, arrays_.names.data());
  if (num_names > count) {
    const uint16_t least = LeastOfBest(
        arrays_.values, {arrays_.names.data(), num_names}, greatest, count);
    num_names = tally.select(arrays_.values.data(), padded,
                             std::max(floor, least), arrays_.names.data());
  }
  return {arrays_.names.data(), num_names};
}

}  // namespace quaver
