// Errors as Triton says them: {"error": message}.
#pragma once

#include <string_view>

#include "quaver/base/status.h"
#include "quaver/net/http.h"
#include "quaver/net/router.h"

namespace quaver {

HttpResponse KserveError(int status, std::string_view message);

// Triton's statuses: 404 for NotFound, 500 Internal, 501 Unimplemented, 503
// with Retry-After for Unavailable and what else a busy server says, 400 for
// all others. REQUIRES: !status.ok().
HttpResponse KserveError(const absl::Status& status);

// For the Router of the protocol's port: "Not Found", "Method Not Allowed".
Router::ErrorWriter KserveRouterErrors();

}  // namespace quaver
