// BART (Lewis et al. 2020) over packed batches: forward on a Tape.
#pragma once

#include "quaver/train/batch.h"
#include "quaver/train/torch/parameters.h"
#include "quaver/train/torch/tape.h"

namespace quaver {

// A batch's tensors: offsets on CPU, ids on the device. A last pair of padding
// rounds both numbers of rows up to a multiple of kRowMultiple: oneDNN compiles
// a product for every number of rows that it meets.
inline constexpr int64_t kRowMultiple = 64;
struct BatchTensors {
  Rows source;
  Rows target;
  at::Tensor labels;  // int32, CPU
};
BatchTensors ToTensors(const Batch& batch, int32_t pad, at::Device device);

// Hidden states of the encoder's last layer, [source rows, width].
Ref Encode(const Parameters& parameters, const Rows& source, Tape& tape);
// Hidden states of the decoder's last layer, [target rows, width].
Ref Decode(const Parameters& parameters, const Ref& encoded, const Rows& source,
           const Rows& target, Tape& tape);

}  // namespace quaver
