// How long encoding takes: the figures of `quaver bench encoder`.
#pragma once

#include <cstddef>
#include <vector>

#include "quaver/engine/bert.h"

namespace quaver {

struct EncoderBenchConfig {
  int num_threads = 1;  // instances that run at once, a core each
  int batch = 1;        // B, sentences a call
  int tokens = 11;      // T of each sentence, [CLS] and [SEP] included
  // Where given, the tokens of each sentence instead: they come in this order,
  // `batch` a call, the last call what is left.
  std::vector<int> lengths;
  // Timed calls of each thread, or rounds over `lengths`, after a tenth more.
  int num_iterations = 300;
};

struct EncoderBenchResult {
  double p50_ms = 0;  // of a call
  double p90_ms = 0;
  double tokens = 0;           // of a sentence, mean
  double sentences_per_s = 0;  // of all threads together
};

// Encodes seeded random tokens. InvalidArgument when a count is below 1 or
// `tokens` exceeds the model's positions. Takes as long as it says.
absl::StatusOr<EncoderBenchResult> BenchEncoder(
    const BertModel& model, const EncoderBenchConfig& config);

}  // namespace quaver
