// A valid file's tensors, damaged behind a right checksum: for fuzzers, tests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/artifact/artifact.h"

namespace quaver {

struct EditedTensor {
  DataType type;
  std::vector<int64_t> shape;
  std::string bytes;
};
using EditedTensors = std::map<std::string, EditedTensor>;

EditedTensors CopyTensors(const Artifact& artifact);

// Edits as the bytes say, eight an edit, what is left over counts for nothing:
// tensor (modulo those left, by name), operation, offset (u16), value (u32),
// little-endian. Operations: 0 overwrite four bytes, 1 cut elements off, 2
// append zeros, 3 change a dimension, 4 drop the tensor.
void ApplyEdits(std::string_view edits, EditedTensors& tensors);
// One edit as bytes.
std::string EditBytes(uint8_t tensor, uint8_t operation, uint16_t offset,
                      uint32_t value);

// The file of these tensors, as if it had been written so.
std::shared_ptr<const Artifact> WrapTensors(const EditedTensors& tensors,
                                            const std::string& format,
                                            int version);

}  // namespace quaver
