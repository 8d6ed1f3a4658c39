// See router.h.
#include "quaver/net/router.h"

#include <algorithm>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/net/url.h"

namespace quaver {

Router::Router()
    : Router([](int status, std::string_view message) {
        return ErrorResponse(status, message);
      }) {}

Router::Router(ErrorWriter write_error)
    : write_error_(std::move(write_error)) {}

void Router::Add(const std::string& method, const std::string& pattern,
                 Handler handler) {
  auto route = std::find_if(
      routes_.begin(), routes_.end(),
      [&](const Route& other) { return other.pattern == pattern; });
  if (route == routes_.end()) {
    auto parts = SplitPath(pattern);
    QUAVER_CHECK(parts.ok() && !parts->empty());
    Route added;
    added.pattern = pattern;
    added.parts = *std::move(parts);
    for (size_t i = 0; i < added.parts.size(); ++i) {
      if (added.parts[i].starts_with('{')) added.parameters.push_back(i);
    }
    // Exact routes stand before those with a parameter.
    route = routes_.insert(
        added.parameters.empty() ? routes_.begin() : routes_.end(), added);
  }
  const bool is_new =
      route->handlers.emplace(method, std::move(handler)).second;
  QUAVER_CHECK(is_new);
}

void Router::AddHook(Hook hook) { hooks_.push_back(std::move(hook)); }

HttpResponse Router::Handle(HttpRequest& request) const {
  HttpResponse response = Dispatch(request);
  for (const Hook& hook : hooks_) hook(request, response);
  return response;
}

bool Router::Matches(const Route& route,
                     const std::vector<std::string>& parts) {
  if (parts.size() != route.parts.size()) return false;
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool same = route.parts[i].starts_with('{')
                          ? !parts[i].empty()
                          : parts[i] == route.parts[i];
    if (!same) return false;
  }
  return true;
}

std::string Router::Allow(const Route& route) {
  std::string methods = "OPTIONS";
  for (const auto& [method, handler] : route.handlers) {
    methods += ", " + method;
    if (method == "GET") methods += ", HEAD";
  }
  return methods;
}

HttpResponse Router::Dispatch(HttpRequest& request) const {
  const auto parts = SplitPath(request.path);
  if (!parts.ok()) return write_error_(400, Message(parts.status()));
  const auto route =
      std::find_if(routes_.begin(), routes_.end(),
                   [&](const Route& other) { return Matches(other, *parts); });
  if (route == routes_.end()) {
    return write_error_(404, fmt::format("nothing is at {}", request.path));
  }
  request.route = route->pattern;
  for (const size_t i : route->parameters) {
    request.segments.push_back((*parts)[i]);
  }
  if (!request.segments.empty()) request.segment = request.segments[0];
  const auto handler =
      route->handlers.find(request.method == "HEAD" ? "GET" : request.method);
  if (handler != route->handlers.end()) return handler->second(request);

  HttpResponse response;
  if (request.method == "OPTIONS") {
    response.status = 204;
  } else {
    response = write_error_(
        405, fmt::format("{} does not take {}, only {}", request.path,
                         request.method, Allow(*route)));
  }
  response.headers.emplace_back("Allow", Allow(*route));
  return response;
}

}  // namespace quaver
