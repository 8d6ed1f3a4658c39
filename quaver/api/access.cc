// See access.h.
#include "quaver/api/access.h"

#include <algorithm>

#include "quaver/base/file.h"

namespace quaver {
namespace {

constexpr size_t kMaxKeyFileBytes = 1 << 20;
constexpr std::string_view kSpaces = " \t\r\n";

std::string_view Trim(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(kSpaces), text.size());
  const size_t end = text.find_last_not_of(kSpaces) + 1;
  return begin < end ? text.substr(begin, end - begin) : std::string_view();
}

// Looks at every byte of `given` whatever it finds. The key's length shows.
bool IsSame(std::string_view given, std::string_view key) {
  if (key.empty()) return false;
  volatile unsigned difference = given.size() == key.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    difference =
        difference | static_cast<unsigned char>(given[i] ^ key[i % key.size()]);
  }
  return difference == 0;
}

std::string_view KeyOf(const HttpRequest& request) {
  const std::string_view authorization = request.header("authorization");
  if (ToLower(authorization.substr(0, 7)) == "bearer ") {
    return Trim(authorization.substr(7));
  }
  return request.header("x-api-key");
}

void AddPreflight(HttpResponse& response) {
  if (const std::string* allow = FindField(response.headers, "Allow")) {
    const std::string methods = *allow;
    response.headers.emplace_back("Access-Control-Allow-Methods", methods);
  }
  response.headers.emplace_back("Access-Control-Allow-Headers",
                                "Authorization, Content-Type, X-API-Key");
  response.headers.emplace_back("Access-Control-Max-Age", "600");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> LoadApiKeys(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string content, ReadFile(path, kMaxKeyFileBytes));
  std::vector<std::string> keys;
  std::string_view rest = content;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view key = Trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!key.empty() && key[0] != '#') keys.emplace_back(key);
  }
  if (keys.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{} holds no key: write one a line", path));
  }
  return keys;
}

std::optional<HttpResponse> CheckApiKey(const HttpRequest& request,
                                        const std::vector<std::string>& keys) {
  if (keys.empty()) {
    return ErrorResponse(
        403, "writing is off: start the server with --api-key-file");
  }
  const std::string_view given = KeyOf(request);
  if (given.empty()) {
    return ErrorResponse(403,
                         "writing needs a key: send Authorization: Bearer "
                         "<key> or X-API-Key: <key>",
                         "authorization");
  }
  bool is_known = false;
  for (const std::string& key : keys) is_known |= IsSame(given, key);
  if (is_known) return std::nullopt;
  return ErrorResponse(403, "this key is not known here", "authorization");
}

absl::Status CheckCorsOrigin(const std::string& origin) {
  if (origin.empty() || origin == "*") return absl::OkStatus();
  const size_t host = origin.find("://");
  const bool is_origin =
      host != std::string::npos && host > 0 && host + 3 < origin.size() &&
      origin.find_first_of("/ \t\r\n,*", host + 3) == std::string::npos;
  if (is_origin) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "\"{}\" is no origin: give * or one like https://example.org", origin));
}

void AddCors(Router& router, const std::string& origin) {
  if (origin.empty()) return;
  router.AddHook([origin](const HttpRequest& request, HttpResponse& response) {
    if (origin != "*") response.headers.emplace_back("Vary", "Origin");
    const std::string_view asking = request.header("origin");
    if (asking.empty() || (origin != "*" && asking != origin)) return;
    response.headers.emplace_back("Access-Control-Allow-Origin", origin);
    response.headers.emplace_back("Access-Control-Expose-Headers",
                                  "Retry-After");
    if (request.method == "OPTIONS") AddPreflight(response);
  });
}

}  // namespace quaver
