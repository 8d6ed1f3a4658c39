// The datatypes' names on the wire and their sizes.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "quaver/sched/servable.h"

namespace quaver {

// "FP32", "BYTES", ...: KServe's names.
std::string_view DatatypeName(Datatype datatype);

// "TYPE_FP32", "TYPE_STRING", ...: those of a Triton model configuration.
std::string_view ConfigTypeName(Datatype datatype);

// Nothing for a name that is none.
std::optional<Datatype> DatatypeOf(std::string_view name);

// Of an element in Tensor::raw; 0 for kBytes.
size_t DatatypeSize(Datatype datatype);

}  // namespace quaver
