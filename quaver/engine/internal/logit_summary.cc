// See logit_summary.h.
#include "quaver/engine/internal/logit_summary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quaver/base/check.h"

namespace quaver {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
static_assert(kSummaryColumns % LayerPass::kSliceColumns == 0);

// Behind what is as great: blocks come by rising index.
void Insert(float value, uint32_t index, RowSummary* row) {
  size_t rank = RowSummary::kCount;
  while (rank > 0 && value > row->greatest[rank - 1]) --rank;
  if (rank == RowSummary::kCount) return;
  for (size_t r = RowSummary::kCount - 1; r > rank; --r) {
    row->greatest[r] = row->greatest[r - 1];
    row->index[r] = row->index[r - 1];
  }
  row->greatest[rank] = value;
  row->index[rank] = index;
}

// Logits of the outputs [begin, end), [M, end - begin], to what is asked.
void Answer(const LayerPass& pass, const LogitQueries& queries, size_t begin,
            size_t end, float* logits) {
  const size_t columns = end - begin;
  const auto find = [&](const RowToken& one) {
    const auto token = static_cast<size_t>(one.token);
    return token < begin || token >= end
               ? nullptr
               : logits + one.row * columns + (token - begin);
  };
  for (const RowToken& one : queries.banned) {
    if (float* logit = find(one)) *logit = kNever;
  }
  for (size_t i = 0; i < queries.wanted.size(); ++i) {
    if (const float* logit = find(queries.wanted[i])) {
      queries.wanted_logits[i] = *logit;
    }
  }
  RowSummary* summaries =
      pass.buffers.summaries + begin / kSummaryColumns * pass.M;
  for (size_t m = 0; m < pass.M; ++m) {
    summaries[m] = pass.kernels.dense.summarise(logits + m * columns, columns);
  }
}

}  // namespace

RowSummary Merge(const RowSummary* blocks, size_t stride, size_t num_blocks) {
  RowSummary row = {{kNever, kNever, kNever}, {0, 0, 0}, 0};
  for (size_t block = 0; block < num_blocks; ++block) {
    const RowSummary& one = blocks[block * stride];
    const auto first = static_cast<uint32_t>(block * kSummaryColumns);
    for (size_t i = 0; i < RowSummary::kCount; ++i) {
      Insert(one.greatest[i], first + one.index[i], &row);
    }
  }
  for (size_t block = 0; block < num_blocks; ++block) {
    const RowSummary& one = blocks[block * stride];
    if (one.greatest[0] == kNever) continue;  // it has no likely token
    row.sum += one.sum * std::exp(one.greatest[0] - row.greatest[0]);
  }
  return row;
}

void Summarise(const LayerPass& pass, const Linear& output,
               const LogitQueries& queries) {
  const size_t M = pass.M;
  QUAVER_CHECK(queries.summaries.size() == M);
  QUAVER_CHECK(queries.wanted.size() == queries.wanted_logits.size());
  const float* hidden = pass.buffers.hidden;
  pass.Share(output.N, kSummaryColumns, pass.Work(output),
             [&](size_t first, size_t last, float* scratch) {
               for (size_t begin = first; begin < last;
                    begin += kSummaryColumns) {
                 const size_t end = std::min(last, begin + kSummaryColumns);
                 pass.Multiply(output, hidden, begin, end, Epilogue::kBias,
                               nullptr, scratch, end - begin);
                 Answer(pass, queries, begin, end, scratch);
               }
             });
  const size_t num_blocks = NumSummaries(output.N);
  for (size_t m = 0; m < M; ++m) {
    queries.summaries[m] = Merge(pass.buffers.summaries + m, M, num_blocks);
  }
}

}  // namespace quaver
