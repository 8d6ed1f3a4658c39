// Which handler answers a request: exact paths and patterns with parameters.
//
//   Router router;
//   router.Add("GET", "/v1/documents/{id}", [&](const HttpRequest& request) {
//     return Show(request.segment);
//   });
//   HttpServer::Start(config, [&](HttpRequest& request) {
//     return router.Handle(request);
//   });
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/net/http.h"

namespace quaver {

// Filled before the server starts, then only read: Handle is thread-safe when
// the handlers are.
class Router {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;
  // Sees every answer before it is sent, the router's own errors included;
  // request.route is "" where no pattern matched.
  using Hook = std::function<void(const HttpRequest&, HttpResponse&)>;
  // The answer to a request that reaches no handler.
  using ErrorWriter =
      std::function<HttpResponse(int status, std::string_view message)>;

  Router();  // errors are ErrorResponse's
  explicit Router(ErrorWriter write_error);

  // Parts of the pattern may be {parameters}, which match any part that is not
  // empty. Exact patterns win. A GET route answers HEAD too.
  // REQUIRES: the pattern starts with '/' and has no handler for the method.
  void Add(const std::string& method, const std::string& pattern,
           Handler handler);
  // Hooks run in the order they were added.
  void AddHook(Hook hook);

  // Sets route and segments of the request and calls the handler. 404 for a
  // path without a route, 405 with Allow for a method without a handler, 204
  // with Allow for OPTIONS, 400 for bad percent-encoding.
  HttpResponse Handle(HttpRequest& request) const;

 private:
  struct Route {
    std::string pattern;
    std::vector<std::string> parts;
    std::vector<size_t> parameters;           // which parts they are
    std::map<std::string, Handler> handlers;  // by method
  };
  static bool Matches(const Route& route,
                      const std::vector<std::string>& parts);
  static std::string Allow(const Route& route);
  HttpResponse Dispatch(HttpRequest& request) const;

  ErrorWriter write_error_;
  std::vector<Route> routes_;
  std::vector<Hook> hooks_;
};

}  // namespace quaver
