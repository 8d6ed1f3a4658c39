// One pass of the decoder over several targets, and what it says comes next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quaver/engine/bart.h"
#include "quaver/engine/generation.h"
#include "quaver/engine/internal/draft_tree.h"

namespace quaver {

// A target on its way. Paths that begin alike may share slots.
struct TargetPath {
  std::vector<int32_t> tokens;  // confirmed, the decoder's start first
  std::vector<uint32_t> slots;  // of all tokens but the last
  double score = 0;             // natural logarithm of its probability
  bool whole = false;

  std::vector<DraftNode> tree;       // of this pass
  std::vector<uint32_t> tree_slots;  // of the last token, then of each node
  size_t first_row = 0;              // of this pass
};

// The likeliest next tokens, likeliest first; a forced one is alone.
struct NextTokens {
  size_t count = 0;
  std::array<int32_t, RowSummary::kCount> tokens{};
  std::array<double, RowSummary::kCount> scores{};  // natural logarithms
};

// Clear, Add paths, Run; then ask. Keeps its memory.
class TargetPass {
 public:
  // `model` must outlive it.
  TargetPass(const BartModel& model, size_t max_rows);

  void Clear();
  // A row for the path's last token and each node of its tree, with slots from
  // the end of `free`. They read the source rows [source_begin, source_end).
  void Add(uint32_t source_begin, uint32_t source_end,
           std::vector<uint32_t>* free, TargetPath* path);
  void Run(BartWorkspace& workspace, BartCache& cache);

  // What follows `tokens`, whose last one is the row's. REQUIRES: a row is
  // always asked with the same tokens and options.
  NextTokens Next(size_t row, const GenerationOptions& options,
                  std::span<const int32_t> tokens);
  double LogProbability(size_t row, const GenerationOptions& options,
                        std::span<const int32_t> tokens, int32_t token);

 private:
  void AddRow(int32_t token, uint32_t source_begin, uint32_t source_end);
  const RowSummary& Summary(size_t row, const GenerationOptions& options,
                            std::span<const int32_t> tokens);

  const BartModel& model_;
  std::vector<int32_t> tokens_;
  std::vector<uint32_t> positions_, slots_, seen_, seen_offsets_, source_begin_,
      source_end_;
  std::vector<float> logits_;  // [rows, V], banned ones minus infinity
  std::vector<std::optional<RowSummary>> summaries_;  // of rows asked about
};

}  // namespace quaver
