// What must hold for any vector index on disk: run by fuzzer and tests.
#pragma once

#include <string>
#include <string_view>

#include "quaver/index/vector.h"

namespace quaver {

// Edits a valid index (see edited_tensors.h), puts a container with a right
// checksum around it and opens it: it must be refused, or answer every call in
// bounds with finite scores. Aborts otherwise; returns the error, "" when it
// was accepted.
std::string CheckEditedVectors(std::string_view edits);

// The same of an open index.
void CheckVectorAnswers(const VectorIndex& index);

}  // namespace quaver
