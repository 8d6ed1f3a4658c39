// The output layer and what is asked of its logits, a block of the vocabulary
// at a time: 50,265 logits a row are never stored.
#pragma once

#include <cstddef>

#include "quaver/engine/bart.h"
#include "quaver/engine/internal/layer_pass.h"

namespace quaver {

// Outputs that are summarised together. Constant, so that a row's sum is added
// up in one order, whatever the rows and threads; their logits, 16 KiB a row,
// stay in the second-level cache.
inline constexpr size_t kSummaryColumns = 4096;

// Of a row, before they are merged.
constexpr size_t NumSummaries(size_t V) {
  return (V + kSummaryColumns - 1) / kSummaryColumns;
}

// Answers the queries about the logits of pass.buffers.hidden, which is
// prepared for the output layer. REQUIRES: a scratch of M * kSummaryColumns a
// thread, M * NumSummaries(V) summaries; rows and tokens of the queries in
// range.
void Summarise(const LayerPass& pass, const Linear& output,
               const LogitQueries& queries);

// The summary of a row from those of its blocks, in their order; a block's
// numbers begin at 0. `stride` summaries lie between two of a row.
RowSummary Merge(const RowSummary* blocks, size_t stride, size_t num_blocks);

}  // namespace quaver
