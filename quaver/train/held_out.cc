// See held_out.h.
#include "quaver/train/held_out.h"

#include <algorithm>

#include "quaver/text/compare.h"

namespace quaver {
namespace {

constexpr char kClean[] = "clean";
constexpr char kTraining[] = "noise";
// Numbers that training does not reach.
constexpr uint64_t kFirstNumber = uint64_t{1} << 62;

HeldOutSet Encoded(std::string name, std::vector<Pair> pairs,
                   const PairEncoder& encoder) {
  HeldOutSet set = {std::move(name), std::move(pairs), {}};
  for (const Pair& pair : set.pairs) encoder.Add(pair, &set.batch);
  return set;
}

// Pairs of training noise that nothing was trained on, with mistakes or
// without.
std::vector<Pair> FromMaker(const PairMaker& maker, int64_t rows, bool clean) {
  std::vector<Pair> pairs;
  for (int64_t i = 0; i < 40 * rows; ++i) {
    Pair pair = maker.Make(kFirstNumber + static_cast<uint64_t>(i));
    if ((pair.typed == pair.meant) != clean) continue;
    pairs.push_back(std::move(pair));
    if (static_cast<int64_t>(pairs.size()) == rows) break;
  }
  return pairs;
}

}  // namespace

std::vector<HeldOutSet> MakeHeldOutSets(const SearchTexts& texts,
                                        const Noise& noise,
                                        const PairMaker& maker,
                                        const PairEncoder& encoder,
                                        int64_t rows, uint64_t seed) {
  std::vector<HeldOutSet> sets;
  bool clean = false;
  for (const SetKind kind : kAllSetKinds) {
    // `unseen` stands for what was held out, `clean` for what is right.
    if (kind == SetKind::kUnseenPartial) continue;
    if (IsClean(kind) && kind != SetKind::kClean) continue;
    const auto made =
        MakeQuerySet(kind, texts, noise,
                     {.rows = static_cast<size_t>(rows), .seed = seed + 1'000});
    if (!made.ok()) continue;  // too small a catalogue for this kind
    std::vector<Pair> pairs;
    for (const QueryRow& row : *made) {
      Pair pair = {ComparableText(row.query), ComparableText(row.corrected)};
      if (!pair.typed.empty() && !pair.meant.empty()) {
        pairs.push_back(std::move(pair));
      }
    }
    clean |= kind == SetKind::kClean;
    sets.push_back(Encoded(std::string(Name(kind)), std::move(pairs), encoder));
  }
  const auto add = [&](const char* name, bool is_clean) {
    auto pairs = FromMaker(maker, rows, is_clean);
    if (!pairs.empty())
      sets.push_back(Encoded(name, std::move(pairs), encoder));
  };
  if (!clean) add(kClean, true);
  if (sets.size() < 2) add(kTraining, false);
  return sets;
}

double Figures::false_corrections() const {
  for (const auto& [name, share] : exact_fix) {
    if (name == kClean) return 1 - share;
  }
  return 0;
}

double Figures::score() const {
  double sum = 0;
  int count = 0;
  for (const auto& [name, share] : exact_fix) {
    if (name == kClean) continue;
    sum += share;
    ++count;
  }
  return (count > 0 ? sum / count : 0) - 2 * false_corrections();
}

}  // namespace quaver
