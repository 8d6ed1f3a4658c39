// How long encoding and its products take: the figures of `quaver bench`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quaver/engine/bert.h"
#include "quaver/engine/precision.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

struct EncoderBenchConfig {
  int num_threads = 1;           // instances that run at once
  int threads_per_instance = 1;  // capped as InstanceTeam of team.h says
  int batch = 1;                 // B, sentences a call
  int tokens = 11;               // T of each sentence, [CLS] and [SEP] included
  // Where given, the tokens of each sentence instead: they come in this order,
  // `batch` a call, the last call what is left.
  std::vector<int> lengths;
  // Or these sentences of ids, [CLS] and [SEP] included, in the same way.
  std::vector<std::vector<int32_t>> sentences;
  // Timed calls of each thread, or rounds over all sentences, after a tenth
  // more.
  int num_iterations = 300;
};

struct EncoderBenchResult {
  double p50_ms = 0;  // of a call
  double p90_ms = 0;
  double tokens = 0;           // of a sentence, mean
  double sentences_per_s = 0;  // of all threads together
};

// Encodes `sentences`, or seeded random tokens. InvalidArgument when a count is
// below 1, a sentence exceeds the model's positions or an id its vocabulary.
// Takes as long as it says.
absl::StatusOr<EncoderBenchResult> BenchEncoder(
    const BertModel& model, const EncoderBenchConfig& config);

// One product, y = x W^T + b, by itself.
struct GemmShape {
  size_t M = 1;  // rows
  size_t N = 1;
  size_t K = 1;
  Precision precision = Precision::kInt8;
};

struct GemmResult {
  GemmShape shape;
  double us = 0;           // median of a call, its rows made ready beforehand
  double gops = 0;         // 2 M N K a call, 10^9 a second
  double gbytes = 0;       // weights read, 10^9 bytes a second
  double roofline_us = 0;  // what the machine's limits allow
};

struct GemmLimits {
  double gops[3] = {};  // by Precision: the best of any shape, from the cache
  double gbytes = 0;    // read by one core from beyond its caches
};

// Each weight of many that are read in turn, so that it comes from beyond the
// second-level cache, as it does in a model. Takes about a tenth of a second a
// shape. REQUIRES: sizes above 0.
std::vector<GemmResult> BenchGemm(const Kernels& kernels,
                                  const std::vector<GemmShape>& shapes,
                                  GemmLimits* limits);

// Microseconds of a call in each of TacticNames' ways (tactics.h), as BenchGemm
// reads weights: of each way the lower quartile of its calls. The ways take
// turns, two calls a turn of which the second counts, so that what slows the
// machine slows all alike. About 2 ms a way and round, or six calls. REQUIRES:
// sizes and rounds above 0.
std::vector<double> MeasureTactics(const Kernels& kernels,
                                   const GemmShape& shape, int num_rounds);

}  // namespace quaver
