// Files that are embedded in the binary, as pages.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "quaver/net/router.h"

namespace quaver {

struct EmbeddedFile {
  std::string_view name;  // "index.html"
  std::string_view content;
};

// Adds each file as path(file.name). Each answer has an ETag, is asked for anew
// each time (304 when it is the same), and lets nothing but the page's own
// files run. The contents outlive the router. REQUIRES: names that end with
// .html, .css, .js, .json, .svg or .png.
void AddStaticFiles(Router& router, std::span<const EmbeddedFile> files,
                    std::string (*path)(std::string_view name));

}  // namespace quaver
