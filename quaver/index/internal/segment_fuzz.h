// What must hold for any segment on disk: run by fuzzer and tests.
#pragma once

#include <string>
#include <string_view>

#include "quaver/index/internal/edited_tensors.h"

namespace quaver {

// Of a small segment that has all there may be.
const EditedTensors& ValidSegmentTensors();

// Edits the valid segment (see edited_tensors.h), puts a container with a right
// checksum around it and opens it: it must be refused, or answer every call in
// bounds. Aborts otherwise; returns the error, "" when it was accepted.
std::string CheckEditedSegment(std::string_view edits);

}  // namespace quaver
