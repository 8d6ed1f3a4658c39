// The parameters of a request in JSON: the protocol's and the client's own.
#pragma once

#include <vector>

#include "quaver/base/status.h"
#include "quaver/serve/internal/json_body.h"
#include "quaver/serve/kserve_request.h"

namespace quaver {

using JsonMembers = std::vector<simdjson::dom::key_value_pair>;

// Those that IsProtocolParameter knows go where they belong, the others into
// InferRequest::parameters. InvalidArgument names the parameter: of another
// type than it has, of none that a parameter may have, or reserved.
absl::Status ReadParameters(const JsonMembers& parameters,
                            InferRequest& request);

}  // namespace quaver
