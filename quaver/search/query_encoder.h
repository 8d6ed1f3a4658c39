// A query's embedding, from the encoder servable.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

// One text in, D floats of unit length out. Thread-safe; costs one model run.
// Internal for a servable whose first output is no FP32; else its errors.
absl::StatusOr<std::vector<float>> EmbedQuery(Servable& encoder,
                                              const std::string& text,
                                              const CallOptions& call = {});

}  // namespace quaver
