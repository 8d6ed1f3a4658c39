// What layers are made of, on the rows of one call and the threads of one
// instance: products, norms, loops over rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "quaver/engine/internal/arena.h"
#include "quaver/engine/internal/weights.h"
#include "quaver/engine/team.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

// Of layers of at most M rows of width D.
struct LayerSizes {
  size_t M = 0;
  size_t D = 0;
  size_t inner = 0;    // the widest row, at least 3 * D
  size_t scratch = 0;  // floats, of each thread
  size_t summaries = 0;
};

// Sees a product's input, [M, K].
using LinearObserver =
    std::function<void(const Linear& linear, const float* x, size_t M)>;

// What layers read and write.
struct LayerBuffers {
  std::unique_ptr<Team> team;
  FloatArena arena;
  float* hidden;   // [M, D], in and out
  float* context;  // [M, D], what attention gave
  float* wide;     // [M, inner]
  float* scratch;  // [team.size(), scratch]
  // A product's input: int8's [M + kInt8SpareRows, Int8Stride(K)], or bf16's
  // halves, twice as many bytes.
  uint8_t* codes;
  Int8Row* rows;  // [M], of the codes
  RowSummary* summaries;
  size_t scratch_stride;
  LinearObserver observer;  // none in service

  LayerBuffers(const LayerSizes& sizes, const TeamConfig& config);
  // Of the arena.
  static size_t Bytes(const LayerSizes& sizes, const TeamConfig& config);
};

// One call's layers, M rows. Threads share the outputs of a product, the rows
// of what goes by rows, the heads of attention; never a sum. So their number
// changes no bit.
struct LayerPass {
  const Kernels& kernels;
  const LayerBuffers& buffers;
  size_t M;
  size_t D;
  float epsilon;  // of the norms

  // y = epilogue(linear(x)), rows side by side.
  void Apply(const Linear& linear, const float* x, Epilogue epilogue,
             const float* residual, float* y) const;
  // hidden = norm(hidden), and Prepare(*next, hidden), if there is a next, in
  // the same pass where it reads codes.
  void Normalise(const Norm& norm, const Linear* next) const;
  // hidden = norm(hidden + linear(x)): post-norm, as each half of a layer ends;
  // `next` as Normalise's.
  void AddAndNormalise(const Linear& linear, const float* x, const Norm& norm,
                       const Linear* next) const;

  // Brings x, [M, K], into the form that the product reads.
  void Prepare(const Linear& linear, const float* x) const;
  // Apply of what is prepared, without a residual.
  void ApplyPrepared(const Linear& linear, const float* x, Epilogue epilogue,
                     float* y) const;
  // The outputs [begin, end) of what was prepared; `y` and `residual` begin
  // with output `begin`, their rows are `stride` apart. REQUIRES: begin is a
  // multiple of kSliceColumns.
  void Multiply(const Linear& linear, const float* x, size_t begin, size_t end,
                Epilogue epilogue, const float* residual, float* y,
                size_t stride) const;
  static constexpr size_t kSliceColumns = 32;
  // What a product takes, in multiply-adds of bytes.
  size_t Work(const Linear& linear) const;

  // body(begin, end, scratch) for ranges of [0, count), of a multiple of `unit`
  // each but the last: one range where the work of all, in multiply-adds of
  // bytes, is not worth a second thread.
  template <typename Body>
  void Share(size_t count, size_t unit, size_t work, const Body& body) const;

 private:
  void MultiplyAll(const Linear& linear, const float* x, Epilogue epilogue,
                   const float* residual, float* y) const;
  // So that threads that are late or slow take less.
  static constexpr size_t kPartsOfAThread = 4;
};

template <typename Body>
void LayerPass::Share(size_t count, size_t unit, size_t work,
                      const Body& body) const {
  Team& team = *buffers.team;
  const size_t num_threads = team.num_present();
  if (num_threads == 1 || work < team.least_shared()) {
    body(size_t{0}, count, buffers.scratch);
    return;
  }
  const size_t num_units = (count + unit - 1) / unit;
  const size_t num_parts = std::min(num_units, kPartsOfAThread * num_threads);
  team.Run(num_parts, [&](size_t part, size_t member) {
    body(num_units * part / num_parts * unit,
         std::min(count, num_units * (part + 1) / num_parts * unit),
         buffers.scratch + member * buffers.scratch_stride);
  });
}

}  // namespace quaver
