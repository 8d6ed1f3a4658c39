// Single products of a model, apart from the rest of it.
//
//   ProductReplay replay(*model, /*max_rows=*/64);
//   replay.Run("layers.0.up", x, M, y);
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"

namespace quaver {

// Not thread-safe.
class ProductReplay {
 public:
  // The model must outlive it.
  ProductReplay(const BertModel& model, size_t max_rows);
  ProductReplay(const BartModel& model, size_t max_rows);
  ~ProductReplay();

  // y = x W^T + b as the model computes it. REQUIRES: one of its products, at
  // most max_rows rows.
  void Run(const std::string& product,
           const float* x,  // [M, K]
           size_t M,
           float* y);  // [M, N]

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace quaver
