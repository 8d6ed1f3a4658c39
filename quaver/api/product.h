// The product's own routes: search, suggest, documents, stats, the page.
//
//   RETURN_IF_ERROR(RegisterRoutes(router, config, bar, *index, metrics));
#pragma once

#include <string>
#include <vector>

#include "quaver/base/metrics.h"
#include "quaver/base/status.h"
#include "quaver/ingest/live_index.h"
#include "quaver/net/router.h"
#include "quaver/search/search_bar.h"

namespace quaver {

struct ApiConfig {
  std::vector<std::string> api_keys;  // who may write; none: nobody
  std::string cors_origin;            // "", "*" or one exact origin
};

// Adds what openapi.json describes, and the page at /. Stages of each search
// are timed in quaver_search_stage_seconds{stage}; corrections are counted in
// quaver_correction_outcomes_total{outcome} and quaver_correction_passes. The
// router keeps references to the last three: they must outlive it.
// InvalidArgument for a bad origin.
absl::Status RegisterRoutes(Router& router, const ApiConfig& config,
                            const SearchBar& bar, LiveIndex& index,
                            Metrics& metrics);

}  // namespace quaver
