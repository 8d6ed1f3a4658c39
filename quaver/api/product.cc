// See product.h.
#include "quaver/api/product.h"

#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/api/access.h"
#include "quaver/api/answers.h"
#include "quaver/api/documents.h"
#include "quaver/api/pages.h"
#include "quaver/api/parameters.h"
#include "quaver/base/clock.h"

namespace quaver {
namespace {

// Upper bounds in seconds: stages last from microseconds to milliseconds.
const std::vector<double> kStageBounds = {0.00005, 0.0001, 0.00025, 0.0005,
                                          0.001,   0.002,  0.003,   0.005,
                                          0.0075,  0.01,   0.025,   0.1};

class StageTimes {
 public:
  explicit StageTimes(Metrics& metrics) : metrics_(metrics) {}

  void Observe(const SearchResponse& response) const {
    for (const auto& [stage, us] : response.timing_us) {
      metrics_
          .AddHistogram("quaver_search_stage_seconds",
                        "Time that each stage of a search took.", kStageBounds,
                        {{"stage", stage}})
          .Observe(static_cast<double>(us) * 1e-6);
    }
  }

 private:
  Metrics& metrics_;
};

HttpResponse Search(const HttpRequest& request, const SearchBar& bar,
                    const StageTimes& times) {
  Parameters parameters(request, {"q", "types", "limit", "offset", "filter",
                                  "facets", "explain"});
  SearchRequest search;
  search.query = parameters.Text("q");
  search.types = parameters.Types("types");
  search.limit = parameters.Integer("limit", search.limit, 1, kMaxLimit);
  search.offset = parameters.Integer("offset", 0, 0, kMaxOffset);
  search.filter = parameters.FilterOf("filter");
  search.facets = parameters.Flag("facets");
  search.explain = parameters.Flag("explain");
  if (parameters.error()) return *parameters.error();

  const auto answer = bar.Search(search);
  if (!answer.ok()) return ErrorResponse(answer.status());
  times.Observe(*answer);
  return JsonResponse(ToJson(*answer, search.facets));
}

HttpResponse Suggest(const HttpRequest& request, const SearchBar& bar) {
  const Parameters parameters(request, {"q"});
  if (parameters.error()) return *parameters.error();
  const Stopwatch stopwatch;
  const std::string& query = parameters.Text("q");
  const auto suggestions = bar.Suggest(query);
  if (!suggestions.ok()) return ErrorResponse(suggestions.status());
  return JsonResponse(ToJson(query, *suggestions, stopwatch.ElapsedUs()));
}

HttpResponse Stats(const HttpRequest& request, LiveIndex& index) {
  const Parameters parameters(request, {});
  if (parameters.error()) return *parameters.error();
  const auto stats = index.Stats();
  if (!stats.ok()) return ErrorResponse(stats.status());
  return JsonResponse(ToJson(*stats));
}

void RegisterDocuments(Router& router, const std::vector<std::string>& api_keys,
                       LiveIndex& index) {
  const auto guarded = [&](const std::string& method, const std::string& path,
                           HttpResponse (*write)(const HttpRequest&,
                                                 LiveIndex&)) {
    router.Add(method, path,
               [keys = api_keys, &index, write](const HttpRequest& request) {
                 auto refusal = CheckApiKey(request, keys);
                 return refusal ? *std::move(refusal) : write(request, index);
               });
  };
  guarded("POST", "/v1/documents", PostDocuments);
  guarded("DELETE", "/v1/documents/{id}", DeleteDocument);
  router.Add("GET", "/v1/documents/{id}", [&index](const HttpRequest& request) {
    return GetDocument(request, index);
  });
}

}  // namespace

absl::Status RegisterRoutes(Router& router, const ApiConfig& config,
                            const SearchBar& bar, LiveIndex& index,
                            Metrics& metrics) {
  RETURN_IF_ERROR(CheckCorsOrigin(config.cors_origin));
  const StageTimes times(metrics);
  router.Add("GET", "/v1/search", [&bar, times](const HttpRequest& request) {
    return Search(request, bar, times);
  });
  router.Add("GET", "/v1/suggest", [&bar](const HttpRequest& request) {
    return Suggest(request, bar);
  });
  router.Add("GET", "/v1/stats", [&index](const HttpRequest& request) {
    return Stats(request, index);
  });
  RegisterDocuments(router, config.api_keys, index);
  RegisterPages(router);
  AddCors(router, config.cors_origin);
  return absl::OkStatus();
}

}  // namespace quaver
