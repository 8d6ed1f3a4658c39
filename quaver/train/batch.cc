// See batch.h.
#include "quaver/train/batch.h"

#include <algorithm>
#include <numeric>

#include "quaver/base/check.h"
#include "quaver/train/fused.h"

namespace quaver {
namespace {

int64_t CountOf(const PackedTexts& texts) {
  if (texts.counts.empty()) return static_cast<int64_t>(texts.ids.size());
  return std::accumulate(texts.counts.begin(), texts.counts.end(), int64_t{0});
}

size_t LengthOf(const PackedTexts& texts, size_t text) {
  return static_cast<size_t>(texts.offsets[text + 1] - texts.offsets[text]);
}

template <typename T>
std::span<const T> Part(const std::vector<T>& all, const PackedTexts& texts,
                        size_t text) {
  return std::span(all).subspan(texts.offsets[text], LengthOf(texts, text));
}

PackedTexts Padded(const PackedTexts& texts, int32_t pad) {
  size_t longest = 0;
  for (size_t s = 0; s < texts.texts(); ++s) {
    longest = std::max(longest, LengthOf(texts, s));
  }
  PackedTexts padded;
  for (size_t s = 0; s < texts.texts(); ++s) {
    const auto text = Part(texts.ids, texts, s);
    std::vector<int32_t> longer(text.begin(), text.end());
    longer.resize(longest, pad);
    padded.Add(longer);
    padded.counts.push_back(static_cast<int32_t>(text.size()));
  }
  return padded;
}

}  // namespace

int64_t Batch::useful_tokens() const {
  return CountOf(source) + CountOf(target);
}

void AddPair(std::span<const int32_t> source, std::span<const int32_t> target,
             int32_t start, Batch* batch) {
  QUAVER_CHECK(!source.empty() && !target.empty());
  batch->source.Add(source);
  std::vector<int32_t> read = {start};
  read.insert(read.end(), target.begin(), target.end() - 1);
  batch->target.Add(read);
  batch->labels.insert(batch->labels.end(), target.begin(), target.end());
}

Batch WithPadding(const Batch& batch, int32_t pad) {
  Batch padded = {Padded(batch.source, pad), Padded(batch.target, pad), {}};
  for (size_t s = 0; s < batch.target.texts(); ++s) {
    const auto labels = Part(batch.labels, batch.target, s);
    padded.labels.insert(padded.labels.end(), labels.begin(), labels.end());
    padded.labels.resize(padded.target.offsets[s + 1], kNoLabel);
  }
  return padded;
}

std::vector<Batch> SplitEvenly(const Batch& batch, int64_t parts) {
  QUAVER_CHECK(batch.source.counts.empty() && parts >= 1);
  const auto pairs = static_cast<int64_t>(batch.source.texts());
  parts = std::min(parts, pairs);
  const int64_t total = batch.useful_tokens();
  std::vector<Batch> split(parts);
  int64_t tokens = 0, at = 0;
  for (int64_t s = 0; s < pairs; ++s) {
    // On to the next part once this one has its share, or when only as many
    // pairs are left as there are parts to begin.
    const bool full = tokens * parts >= total * (at + 1);
    const bool must = pairs - s == parts - at - 1;
    if (at + 1 < parts && !split[at].labels.empty() && (full || must)) ++at;
    Batch& part = split[at];
    part.source.Add(Part(batch.source.ids, batch.source, s));
    part.target.Add(Part(batch.target.ids, batch.target, s));
    const auto labels = Part(batch.labels, batch.target, s);
    part.labels.insert(part.labels.end(), labels.begin(), labels.end());
    tokens += static_cast<int64_t>(LengthOf(batch.source, s) +
                                   LengthOf(batch.target, s));
  }
  return split;
}

}  // namespace quaver
