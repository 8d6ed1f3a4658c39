// The spelling corrector: readings from names, dictionary and model, proved by
// the catalogue, weighed by one fitted function.
//
//   Corrector corrector(servable);  // or null: no model
//   ASSIGN_OR_RETURN(Correction correction,
//                    corrector.Correct(query, *snapshot, near, {}));
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/index/snapshot.h"
#include "quaver/sched/servable.h"
#include "quaver/search/correction.h"
#include "quaver/search/internal/reading_proof.h"
#include "quaver/search/query.h"
#include "quaver/search/reading.h"

namespace quaver {

// A query is not corrected when it is longer, in words or bytes of its
// normalised form, or shorter, in letters.
inline constexpr size_t kMaxCorrectedBytes = 200;
inline constexpr int kMinCorrectedLetters = 3;

// Thread-safe as the servable is.
class Corrector {
 public:
  explicit Corrector(std::shared_ptr<Servable> model)
      : model_(std::move(model)) {}

  // `near`: the best documents of a search for the query as typed, best first.
  // Costs one call of the model, and about a millisecond beside it. Errors are
  // the model's.
  absl::StatusOr<Correction> Correct(const Query& query,
                                     const Snapshot& snapshot,
                                     std::span<const Place> near,
                                     const CorrectOptions& options) const;

 private:
  std::shared_ptr<Servable> model_;
};

}  // namespace quaver
