// The files of web/ and the API's description, embedded in the binary.
#pragma once

#include <span>
#include <string_view>

#include "quaver/net/router.h"

namespace quaver {

struct EmbeddedFile {
  std::string_view name;  // "index.html", "openapi.json"
  std::string_view content;
};

// Written by cmake/embed.cmake at build time.
std::span<const EmbeddedFile> EmbeddedFiles();

// Adds index.html as /, openapi.json as /v1/openapi.json, and every other file
// under its own name. Each answer has an ETag, is asked for anew each time
// (304 when it is the same), and lets nothing but the page's own files run.
void RegisterPages(Router& router);

}  // namespace quaver
