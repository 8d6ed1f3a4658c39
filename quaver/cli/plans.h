// Plans for whoever names a checkpoint's folder.
#pragma once

#include <string>

#include "quaver/base/status.h"
#include "quaver/compile/compile.h"

namespace quaver {

// Compiles an encoder or a corrector. Quality is measured on `quality_data`,
// else by agreement with fp32 on the lines of `calibration`, else on queries
// that come with the program; both paths may be empty.
absl::StatusOr<CompileReport> CompileModel(const CompileOptions& options,
                                           const std::string& calibration,
                                           const std::string& quality_data);

// `path` itself when it is a plan. Else the plan kept for that folder, made
// first when there is none or the folder has changed: as int8.plan inside it
// or, where that cannot be written, in the user's cache. The folder itself,
// with a warning, when neither can.
absl::StatusOr<std::string> ReadyPlan(const std::string& path);

}  // namespace quaver
