// What a model's instance does in a call, step by step, and how long a step
// takes by itself.
//
//   for (const CallStep& step : CallSteps(*model, /*M=*/11)) ...
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
#include "quaver/engine/plan.h"

namespace quaver {

struct CallStep {
  enum class Kind {
    kEmbedding,     // rows of tables, summed
    kNorm,          // layer norm, and its rows' codes where int8 reads them
    kRounding,      // a product's input, to its precision
    kProduct,       // with bias and what else its epilogue does
    kAttention,     // of one sequence, queries, keys and values side by side
    kRowAttention,  // of each row to keys and values that a cache holds
    kSummary,       // of logits
    kPooling,       // with normalisation, where the model has it
  };

  // A product's as Products names it; of its input's rounding with ".input"
  // behind; "layers.0.attention", "decoder.0.cross_attention".
  std::string name;
  Kind kind = Kind::kProduct;
  size_t M = 0;  // rows
  size_t N = 0;  // outputs of a row
  size_t K = 0;  // inputs of a row
  // That a product has, that rounding is to, and of a norm int8 where it makes
  // codes; all else is fp32.
  Precision precision = Precision::kFp32;
  InputRange range;       // of rounding to int8, a norm's too
  size_t num_heads = 0;   // of attention
  size_t bytes = 0;       // of weights and tables that are read
  double operations = 0;  // of products, attention's included; else 0
  RowTactics tactics;     // a product's
};

std::string_view Name(CallStep::Kind kind);

// All steps of a call with M rows, in their order. REQUIRES: 1 <= M <=
// max_positions.
//
// Of an encoder: of one sentence of M tokens.
std::vector<CallStep> CallSteps(const BertModel& model, size_t M);
// Of a corrector: one source of M tokens, keys and values for every decoder
// layer included, then one pass of the decoder over M rows, each of which
// attends to M target tokens and to the source.
std::vector<CallStep> CallSteps(const BartModel& model, size_t M);

// The kernel that computes the step: "dense.layer_norm", a product's as
// TacticNames; empty for embedding and pooling, which are plain loops.
std::string KernelOf(const Kernels& kernels, const CallStep& step);

// Microseconds of the step by its kernel alone, the lower quartile of its
// calls: a product as MeasureTactics has it, all else on rows that lie in the
// cache. Absent where it has no kernel. About 2 ms a round, a product that long
// for each of its ways. REQUIRES: num_rounds above 0.
std::optional<double> MeasureStep(const Kernels& kernels, const CallStep& step,
                                  int num_rounds);

}  // namespace quaver
