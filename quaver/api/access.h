// Who may write, and which pages elsewhere may ask.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/net/router.h"

namespace quaver {

// One key a line; spaces around it, empty lines and lines that begin with # do
// not count. NotFound or InvalidArgument, naming the file, when there is none.
absl::StatusOr<std::vector<std::string>> LoadApiKeys(const std::string& path);

// 403 unless the request carries one of the keys, as "Authorization: Bearer
// <key>" or "X-API-Key: <key>". The time taken does not tell how much of a
// key was right.
std::optional<HttpResponse> CheckApiKey(const HttpRequest& request,
                                        const std::vector<std::string>& keys);

// OK for "" (no other origin), "*" and "scheme://host[:port]".
absl::Status CheckCorsOrigin(const std::string& origin);

// Adds the headers by which a browser lets pages of that origin call the
// routes, preflights included.
void AddCors(Router& router, const std::string& origin);

}  // namespace quaver
