// What must hold for any vector index on disk: run by fuzzer and tests.
#pragma once

#include <string>
#include <string_view>

namespace quaver {

// Edits a valid index as the bytes say, eight an edit, puts a container with a
// right checksum around it and opens it: it must be refused, or answer every
// call in bounds with finite scores. Aborts otherwise; returns the error, ""
// when it was accepted.
//
// An edit: tensor, operation, offset (u16), value (u32), little-endian.
// Operations: 0 overwrite four bytes, 1 cut elements off, 2 repeat the last,
// 3 change a dimension, 4 drop the tensor.
std::string CheckEditedVectors(std::string_view edits);

}  // namespace quaver
