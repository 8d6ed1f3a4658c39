// A model's weights as a few flat tensors, with a view for each matrix.
//
// One optimiser step is then one pass over memory, a bucket of gradients is a
// range, and matrices that are multiplied with the same rows lie side by side,
// so that one product does for all of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "quaver/base/status.h"
#include "quaver/train/shape.h"

namespace quaver {

// Views into the flat tensors, of one matrix or several side by side.
struct Weight {
  at::Tensor value;            // in the type that is computed with
  at::Tensor master;           // float
  at::Tensor gradient;         // float
  int64_t begin = 0, end = 0;  // in the flat tensors
};

class Parameters {
 public:
  // All zero. `compute` is float, bfloat16 or half; other types than float get
  // a copy of the weights ("shadow"), renewed by SyncShadow or an optimiser.
  // `with_moments`: also what AdamW needs.
  Parameters(const BartShape& shape, at::ScalarType compute, at::Device device,
             bool with_moments);

  // The same weights with a gradient of its own, for one of several workers.
  Parameters WithOwnGradient() const;

  // Draws weights as Hugging Face's BART does: N(0, 0.02), biases 0, norms 1,
  // the padding token's embedding 0. The same for a seed on every device.
  void Initialise(uint64_t seed);
  void SyncShadow();

  // By Hugging Face's name without "model.", such as
  // "encoder.layers.0.fc1.weight". REQUIRES: it exists.
  const Weight& Get(const std::string& name) const;
  // `count` of them, beginning with `name`, that lie side by side; rows or
  // elements one after the other. REQUIRES: they are of equal width.
  Weight Joined(const std::string& name, int count) const;

  struct Entry {
    std::string name;
    std::vector<int64_t> shape;
    int64_t begin = 0;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  int64_t size() const { return size_; }
  // Elements before this one are matrices and decay; biases and norms do not.
  int64_t decayed() const { return decayed_; }
  // From this element to decayed(): the layers' matrices, without the tables.
  int64_t layers() const { return layers_; }
  at::ScalarType compute() const { return compute_; }
  at::Device device() const { return master_.device(); }
  const BartShape& shape() const { return shape_; }

  at::Tensor& master() { return master_; }
  at::Tensor& gradient() { return gradient_; }
  at::Tensor& shadow() { return shadow_; }  // undefined when float
  at::Tensor& moment1() { return moment1_; }
  at::Tensor& moment2() { return moment2_; }

 private:
  void Add(const std::string& name, std::vector<int64_t> shape);
  void MakeViews();
  Weight View(int64_t begin, std::vector<int64_t> shape) const;

  BartShape shape_;
  at::ScalarType compute_;
  std::vector<Entry> entries_;
  std::map<std::string, size_t> by_name_;
  std::vector<Weight> weights_;
  int64_t size_ = 0, layers_ = 0, decayed_ = 0;
  at::Tensor master_, gradient_, shadow_, moment1_, moment2_;
};

}  // namespace quaver
