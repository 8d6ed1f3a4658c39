// Request targets: percent-encoding, paths and query strings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/net/http.h"

namespace quaver {

// "caf%C3%A9" -> "café". Any byte may come out. InvalidArgument, quoting the
// place, for a '%' without two hexadecimal digits.
absl::StatusOr<std::string> PercentDecode(std::string_view text);

// Everything but letters, digits and "-._~" as %XX.
std::string PercentEncode(std::string_view text);

struct Target {
  std::string path;  // still encoded, starts with '/', or is "*"
  HttpFields query;  // decoded, '+' is a space, in order, doubles kept
};

// "/path?name=value&..." or "http://host/path?...". InvalidArgument for
// anything else and for bad percent-encoding in either part.
absl::StatusOr<Target> ParseTarget(std::string_view target);

// The decoded parts between the slashes of Target::path: "/a/b%2Fc" gives "a",
// "b/c"; "/" gives one empty part.
absl::StatusOr<std::vector<std::string>> SplitPath(std::string_view path);

}  // namespace quaver
