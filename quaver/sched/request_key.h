// A whole request as bytes: requests are the same if and only if their keys
// are.
#pragma once

#include <string>
#include <string_view>

#include "quaver/sched/call.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Of `scope` (whose request it is), every input's name, datatype, shape and
// bytes, in whatever order they come, options.parameters and options.outputs;
// neither priority, times nor request id. As long as the request and 8 bytes
// for each text, dimension and length in it.
std::string RequestKey(std::string_view scope, const Tensors& request,
                       const CallOptions& options);

}  // namespace quaver
