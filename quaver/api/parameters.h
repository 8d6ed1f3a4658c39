// Query parameters: names, types and ranges are checked, nothing is guessed.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/catalogue/entity.h"
#include "quaver/net/http.h"
#include "quaver/search/filter.h"

namespace quaver {

// Reads a request's parameters one by one; the first mistake is kept and the
// rest of the calls return defaults:
//
//   Parameters parameters(request, {"q", "limit"});
//   const int limit = parameters.Integer("limit", 10, 1, 100);
//   if (parameters.error()) return *parameters.error();
class Parameters {
 public:
  // A name that is not in `known`, or comes twice, is a mistake. The request
  // must outlive this.
  Parameters(const HttpRequest& request,
             std::initializer_list<std::string_view> known);

  // "" when absent.
  const std::string& Text(std::string_view name) const;
  int Integer(std::string_view name, int fallback, int least, int most);
  // true, false, 1 or 0; false when absent.
  bool Flag(std::string_view name);
  // One of `choices`, of which the first stands for an absent one.
  std::string_view Choice(std::string_view name,
                          std::initializer_list<std::string_view> choices);
  // "track,artist"; each once, in the order given.
  std::vector<EntityType> Types(std::string_view name);
  Filter FilterOf(std::string_view name);

  // A 400 that names the parameter in "field".
  const std::optional<HttpResponse>& error() const { return error_; }

 private:
  void Fail(std::string_view name, std::string_view message);

  const HttpFields& query_;
  std::optional<HttpResponse> error_;
};

}  // namespace quaver
