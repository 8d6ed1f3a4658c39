// Pairs of texts as token ids, one after the other: what a training step reads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace quaver {

// Texts' tokens without gaps: text s is ids[offsets[s], offsets[s + 1]).
struct PackedTexts {
  std::vector<int32_t> ids;
  std::vector<int32_t> offsets = {0};
  // Tokens of each text that count, where padding was put behind; else empty.
  std::vector<int32_t> counts;

  size_t texts() const { return offsets.size() - 1; }
  void Add(std::span<const int32_t> text) {
    ids.insert(ids.end(), text.begin(), text.end());
    offsets.push_back(static_cast<int32_t>(ids.size()));
  }
};

struct Batch {
  PackedTexts source;
  PackedTexts target;           // what the decoder reads: start, then the text
  std::vector<int32_t> labels;  // what it should say, one a target token

  // Tokens that count, of sources and targets together.
  int64_t useful_tokens() const;
};

// One pair: `source` with what the tokenizer puts around it, `target` as it
// should be answered, without the start. Adds start + target[:-1] and target.
void AddPair(std::span<const int32_t> source, std::span<const int32_t> target,
             int32_t start, Batch* batch);

// The batch with every text as long as the longest, `pad` and kNoLabel behind:
// what trainers without packing compute.
Batch WithPadding(const Batch& batch, int32_t pad);

// `parts` consecutive parts of about as many tokens each; fewer when there are
// fewer pairs. REQUIRES: no padding.
std::vector<Batch> SplitEvenly(const Batch& batch, int64_t parts);

}  // namespace quaver
