// See static_files.h.
#include "quaver/net/static_files.h"

#include <array>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"

namespace quaver {
namespace {

constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

constexpr std::array<std::pair<std::string_view, const char*>, 6> kTypes = {{
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
}};

const char* ContentType(std::string_view name) {
  for (const auto& [suffix, type] : kTypes) {
    if (name.ends_with(suffix)) return type;
  }
  QUAVER_CHECK(false);  // a kind that is missing above
}

HttpResponse Page(const HttpRequest& request, const EmbeddedFile& file,
                  const std::string& etag) {
  HttpResponse response;
  response.headers = {{"ETag", etag},
                      {"Cache-Control", "no-cache"},
                      {"Content-Security-Policy", kContentSecurityPolicy},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"}};
  const std::string_view known = request.header("if-none-match");
  if (known == "*" || known.find(etag) != std::string_view::npos) {
    response.status = 304;
    return response;
  }
  response.content_type = ContentType(file.name);
  response.body = file.content;
  return response;
}

}  // namespace

void AddStaticFiles(Router& router, std::span<const EmbeddedFile> files,
                    std::string (*path)(std::string_view name)) {
  for (const EmbeddedFile& file : files) {
    const std::string etag = "\"" + Hex64(Hash64(file.content)) + "\"";
    router.Add("GET", path(file.name),
               [file, etag](const HttpRequest& request) {
                 return Page(request, file, etag);
               });
  }
}

}  // namespace quaver
