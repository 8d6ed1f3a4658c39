// The product's own routes: search, suggest, documents, stats, the page.
//
//   RETURN_IF_ERROR(RegisterRoutes(router, config, bar, *index, metrics));
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quaver/base/metrics.h"
#include "quaver/base/status.h"
#include "quaver/ingest/live_index.h"
#include "quaver/net/router.h"
#include "quaver/search/search_bar.h"
#include "quaver/serve/kserve_statistics.h"

namespace quaver {

struct ApiConfig {
  std::vector<std::string> api_keys;  // who may write; none: nobody
  std::string cors_origin;            // "", "*" or one exact origin
  // From a search's arrival, likewise of corrections and suggestions; 503 for
  // what would be later. 0: none.
  int64_t search_timeout_us = 10'000'000;
  // Searches count there as if the model had been asked; null: they do not.
  // Outlives the routes.
  ModelStatistics* search_statistics = nullptr;
};

// Adds what openapi.json describes, and the page at /. Searches are counted as
// search_metrics.h says; one whose client has gone stops before its next stage.
// The router keeps references to the last three: they must outlive it.
// InvalidArgument for a bad origin.
absl::Status RegisterRoutes(Router& router, const ApiConfig& config,
                            const SearchBar& bar, LiveIndex& index,
                            Metrics& metrics);

}  // namespace quaver
