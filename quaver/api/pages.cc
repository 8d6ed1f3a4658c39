// See pages.h.
#include "quaver/api/pages.h"

#include <string>

namespace quaver {
namespace {

std::string PathOf(std::string_view name) {
  if (name == "index.html") return "/";
  if (name == "openapi.json") return "/v1/openapi.json";
  return "/" + std::string(name);
}

}  // namespace

void RegisterPages(Router& router) {
  AddStaticFiles(router, EmbeddedFiles(), PathOf);
}

}  // namespace quaver
