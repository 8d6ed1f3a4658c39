// The corrector's model, asked by name: answers, and what it thinks of others.
#pragma once

#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct ModelAnswer {
  std::string text;
  float score = 0;  // natural logarithm of its probability
};

struct ModelOpinion {
  std::vector<ModelAnswer> answers;  // its own first, then the next best
  std::vector<float> draft_scores;   // [drafts]
  int passes = 0;
};

// At most n_best answers. Internal for a servable that answers otherwise than
// corrector_servable.h; else its errors.
absl::StatusOr<ModelOpinion> AskModel(Servable& model, const std::string& text,
                                      const std::vector<std::string>& drafts,
                                      int n_best, const CallOptions& call);

}  // namespace quaver
