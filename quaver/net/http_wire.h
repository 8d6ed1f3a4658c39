// What HTTP/1.1 asks of a server, apart from bytes and sockets.
#pragma once

#include <optional>
#include <string>

#include "quaver/net/http.h"

namespace quaver {

struct HttpRefusal {
  int status;
  std::string message;
  std::string field;  // the header that is wrong, or ""
};

// Why no handler can take a request, as far as its header shows; nothing for a
// good one. `version` is 10 or 11. `coded_bodies`: a handler decodes what
// Content-Encoding names.
std::optional<HttpRefusal> Refusal(const HttpRequest& request, int version,
                                   bool coded_bodies);

struct WireOptions {
  int version = 11;
  bool keep_alive = true;
};

// Status line and header fields up to and including the empty line.
std::string ResponseHead(const HttpResponse& response,
                         const WireOptions& options);

}  // namespace quaver
