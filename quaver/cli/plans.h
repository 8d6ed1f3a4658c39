// Plans for whoever names a checkpoint's folder.
#pragma once

#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/compile/compile.h"
#include "quaver/compile/verify.h"

namespace quaver {

// Compiles an encoder or a corrector. Quality is measured on `quality_data`,
// else by agreement with fp32 on the lines of `calibration`, else on queries
// that come with the program; both paths may be empty. Fixed scales are found
// on the lines of `calibration`, else on those queries.
absl::StatusOr<CompileReport> CompileModel(CompileOptions options,
                                           const std::string& calibration,
                                           const std::string& quality_data);

// Compares a plan's products with those of its checkpoint in fp32, on the lines
// of `calibration`, else on queries that come with the program.
absl::StatusOr<std::vector<ProductError>> VerifyPlan(
    const std::string& checkpoint, const std::string& plan,
    const std::string& calibration);

// `path` itself when it is a plan. Else the plan kept for that folder, made
// first when there is none or the folder has changed: as int8.plan inside it
// or, where that cannot be written, in the user's cache. The folder itself,
// with a warning, when neither can.
absl::StatusOr<std::string> ReadyPlan(const std::string& path);

}  // namespace quaver
