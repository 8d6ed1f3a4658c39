// See http_wire.h.
#include "quaver/net/http_wire.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>

#include <fmt/chrono.h>

namespace quaver {
namespace {

constexpr std::array<std::string_view, 7> kMethods = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

// A coding that is not understood must not be taken for an empty body.
bool TransferCodingIsKnown(const HttpRequest& request) {
  return std::all_of(request.headers.begin(), request.headers.end(),
                     [](const auto& field) {
                       return field.first != "transfer-encoding" ||
                              ToLower(field.second) == "chunked";
                     });
}

}  // namespace

std::optional<HttpRefusal> Refusal(const HttpRequest& request, int version,
                                   bool coded_bodies) {
  if (std::find(kMethods.begin(), kMethods.end(), request.method) ==
      kMethods.end()) {
    return HttpRefusal{
        501, fmt::format("the method {} is not known", request.method), ""};
  }
  const auto num_hosts =
      std::count_if(request.headers.begin(), request.headers.end(),
                    [](const auto& field) { return field.first == "host"; });
  if (num_hosts > 1 || (version == 11 && num_hosts == 0)) {
    return HttpRefusal{400, "a request names its host once", "host"};
  }
  if (!TransferCodingIsKnown(request)) {
    return HttpRefusal{501, "the only transfer coding known is chunked",
                       "transfer-encoding"};
  }
  const std::string content = ToLower(request.header("content-encoding"));
  if (!coded_bodies && !content.empty() && content != "identity") {
    return HttpRefusal{415, "send the body as it is, not compressed",
                       "content-encoding"};
  }
  const std::string expect = ToLower(request.header("expect"));
  if (!expect.empty() && expect != "100-continue") {
    return HttpRefusal{417, "the only demand known is 100-continue", "expect"};
  }
  return std::nullopt;
}

std::string ResponseHead(const HttpResponse& response,
                         const WireOptions& options) {
  std::string head =
      fmt::format("HTTP/1.{} {} {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\n",
                  options.version - 10, response.status,
                  Reason(response.status), fmt::gmtime(std::time(nullptr)));
  const bool has_body = response.status != 204 && response.status != 304;
  if (has_body) {
    if (!response.body.empty()) {
      head += fmt::format("Content-Type: {}\r\n", response.content_type);
    }
    head += fmt::format("Content-Length: {}\r\n", response.body.size());
  }
  for (const auto& [name, value] : response.headers) {
    head += fmt::format("{}: {}\r\n", name, value);
  }
  if (!options.keep_alive) {
    head += "Connection: close\r\n";
  } else if (options.version == 10) {
    head += "Connection: keep-alive\r\n";
  }
  return head + "\r\n";
}

}  // namespace quaver
