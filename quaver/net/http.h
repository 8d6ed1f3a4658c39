// HTTP requests and answers as plain data, and how errors become answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

// Names and values in the order they came; a name may come twice.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

// The value of the first field of that name, or null.
const std::string* FindField(const HttpFields& fields, std::string_view name);

struct HttpRequest {
  std::string method;   // "GET", "HEAD", "POST", ...
  std::string path;     // as sent, percent-encoded: "/v1/documents/a%2Fb"
  HttpFields query;     // decoded
  HttpFields headers;   // names in lower case
  std::string body;     // chunks already joined
  std::string remote;   // the client's address
  std::string route;    // the pattern that matched, set by the Router
  std::string segment;  // decoded value of the route's {parameter}, by Router
  std::vector<std::string> segments;  // of all its parameters, in order
  int64_t received_us = 0;  // Clock::Real() when the request was complete
  // Set once the client has gone or was dropped, so that the work may stop. May
  // be null.
  std::shared_ptr<const std::atomic<bool>> gone;

  // The first header of that lower-case name, or "".
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";  // not sent without a body
  HttpFields headers;  // without Content-Type, -Length, Connection, Date
  std::string body;
};

// The status that stands for an error code on the wire.
int HttpStatusOf(absl::StatusCode code);

// {"error": message, "status": status, "field": field}; the field, which
// parameter or header was wrong, is left out when it is empty.
HttpResponse ErrorResponse(int status, std::string_view message,
                           std::string_view field = "");
// REQUIRES: !status.ok().
HttpResponse ErrorResponse(const absl::Status& status,
                           std::string_view field = "");

// ASCII only, as HTTP's names and tokens are.
std::string ToLower(std::string_view text);

}  // namespace quaver
