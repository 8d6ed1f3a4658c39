// The files of web/dashboard, embedded in the binary.
#pragma once

#include <span>

#include "quaver/net/static_files.h"

namespace quaver {

// Written by cmake/embed.cmake at build time.
std::span<const EmbeddedFile> DashboardFiles();

}  // namespace quaver
