// The whole search as a servable, for those who speak KServe.
//
//   models.Add("search", std::make_shared<SearchServable>(*bar, metrics), 0);
#pragma once

#include <vector>

#include "quaver/api/search_metrics.h"
#include "quaver/base/metrics.h"
#include "quaver/base/status.h"
#include "quaver/sched/servable.h"
#include "quaver/search/search_bar.h"

namespace quaver {

// Inputs
//   QUERY BYTES[1]
//   LIMIT INT32[1]    optional: hits a section, 1 to kMaxLimit; else 10
// Output
//   RESULT BYTES[1]   the body of GET /v1/search?q=QUERY&limit=LIMIT
//
// Searches in the caller's thread: while it waits for encoder and corrector it
// holds none of their instances and no pinned core. Counted with the product's
// searches. Thread-safe.
class SearchServable : public Servable {
 public:
  // Both outlive it.
  SearchServable(const SearchBar& bar, Metrics& metrics)
      : bar_(bar), metrics_(metrics) {}

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  // Errors as SearchBar::Search's, which stops before its next stage when the
  // call is late or cancelled.
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;

 private:
  const SearchBar& bar_;
  const SearchMetrics metrics_;
};

}  // namespace quaver
