// The files of web/ and the API's description, embedded in the binary.
#pragma once

#include <span>

#include "quaver/net/router.h"
#include "quaver/net/static_files.h"

namespace quaver {

// Written by cmake/embed.cmake at build time.
std::span<const EmbeddedFile> EmbeddedFiles();

// Adds index.html as /, openapi.json as /v1/openapi.json, and every other file
// under its own name, as static_files.h says.
void RegisterPages(Router& router);

}  // namespace quaver
