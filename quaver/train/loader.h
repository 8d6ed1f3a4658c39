// Batches of training pairs, made ahead of the step that needs them.
#pragma once

#include <cstdint>
#include <memory>

#include "quaver/noise/pairs.h"
#include "quaver/text/bpe.h"
#include "quaver/train/batch.h"
#include "quaver/train/shape.h"

namespace quaver {

// Texts to token ids as a model reads and answers them.
class PairEncoder {
 public:
  // `tokenizer` must outlive it.
  PairEncoder(const Bpe& tokenizer, const BartShape& shape, int64_t max_tokens);

  // `dropout` is of what is read, not of the answer.
  void Add(const Pair& pair, Batch* batch,
           const BpeDropout& dropout = {}) const;

 private:
  const Bpe& tokenizer_;
  int32_t start_;
  bool forced_bos_;
  int max_tokens_;
};

struct LoaderConfig {
  int64_t batch_pairs = 512;  // of all processes together
  int rank = 0;               // this process takes every world-th pair
  int world = 1;
  int64_t first_step = 1;
  int threads = 1;
  double bpe_dropout = 0;  // share of merges that texts are read without
  int64_t ahead = 4;       // batches made before they are asked for
};

// Step s (from 1) has the pairs [(s - 1) * batch_pairs, s * batch_pairs) of the
// maker, whatever the number of threads and wherever a run begins.
class Loader {
 public:
  // Both must outlive it.
  Loader(const PairMaker& maker, const PairEncoder& encoder,
         const LoaderConfig& config);
  ~Loader();

  // The next step's batch; waits for it. One caller at a time.
  Batch Next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quaver
