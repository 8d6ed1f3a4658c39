// See product.h.
#include "quaver/api/product.h"

#include <array>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/api/access.h"
#include "quaver/api/answers.h"
#include "quaver/api/documents.h"
#include "quaver/api/pages.h"
#include "quaver/api/parameters.h"
#include "quaver/base/clock.h"
#include "quaver/search/query.h"

namespace quaver {
namespace {

// Upper bounds in seconds: stages last from microseconds to milliseconds.
const std::vector<double> kStageBounds = {0.00005, 0.0001, 0.00025, 0.0005,
                                          0.001,   0.002,  0.003,   0.005,
                                          0.0075,  0.01,   0.025,   0.1};

// One that answers at once takes a pass or two.
const std::vector<double> kPassBounds = {0, 1, 2, 3, 4, 6, 8, 12, 16, 32};

constexpr std::array kOutcomes = {
    SpellingOutcome::kNone, SpellingOutcome::kSilent, SpellingOutcome::kShown,
    SpellingOutcome::kAsked};

class SearchMetrics {
 public:
  explicit SearchMetrics(Metrics& metrics)
      : metrics_(metrics),
        passes_(metrics.AddHistogram(
            "quaver_correction_passes",
            "Passes of the decoder that each query's correction took.",
            kPassBounds)) {
    for (const SpellingOutcome outcome : kOutcomes) {
      outcomes_[static_cast<size_t>(outcome)] =
          metrics.AddCounter("quaver_correction_outcomes_total",
                             "Queries by what came of their spelling.",
                             {{"outcome", std::string(Name(outcome))}});
    }
  }

  void Observe(const SearchRequest& request,
               const SearchResponse& response) const {
    for (const auto& [stage, us] : response.timing_us) ObserveStage(stage, us);
    if (request.correct) Observe(response.correction);
  }

  void Observe(const Correction& correction) const {
    for (const auto& [stage, us] : correction.timing_us) {
      ObserveStage(stage, us);
    }
    outcomes_[static_cast<size_t>(correction.outcome)].Increment();
    passes_.Observe(correction.passes);
  }

 private:
  void ObserveStage(const std::string& stage, int64_t us) const {
    metrics_
        .AddHistogram("quaver_search_stage_seconds",
                      "Time that each stage of a search took.", kStageBounds,
                      {{"stage", stage}})
        .Observe(static_cast<double>(us) * 1e-6);
  }

  Metrics& metrics_;
  Histogram passes_;
  std::array<Counter, kOutcomes.size()> outcomes_;
};

HttpResponse Search(const HttpRequest& request, const SearchBar& bar,
                    const SearchMetrics& metrics) {
  Parameters parameters(request, {"q", "types", "limit", "offset", "filter",
                                  "facets", "explain", "spell"});
  SearchRequest search;
  search.query = parameters.Text("q");
  search.types = parameters.Types("types");
  search.limit = parameters.Integer("limit", search.limit, 1, kMaxLimit);
  search.offset = parameters.Integer("offset", 0, 0, kMaxOffset);
  search.filter = parameters.FilterOf("filter");
  search.facets = parameters.Flag("facets");
  search.explain = parameters.Flag("explain");
  search.correct = parameters.Choice("spell", {"auto", "off"}) == "auto";
  if (parameters.error()) return *parameters.error();

  const auto answer = bar.Search(search);
  if (!answer.ok()) return ErrorResponse(answer.status());
  metrics.Observe(search, *answer);
  return JsonResponse(ToJson(search, *answer));
}

HttpResponse Correct(const HttpRequest& request, const SearchBar& bar,
                     const SearchMetrics& metrics) {
  const Parameters parameters(request, {"q"});
  if (parameters.error()) return *parameters.error();
  const Stopwatch stopwatch;
  const std::string& query = parameters.Text("q");
  const auto correction = bar.Correct(query);
  if (!correction.ok()) return ErrorResponse(correction.status());
  metrics.Observe(*correction);
  return JsonResponse(
      ToJson(PrepareQuery(query).raw, *correction, stopwatch.ElapsedUs()));
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
  const SearchMetrics measured(metrics);
  router.Add("GET", "/v1/search", [&bar, measured](const HttpRequest& request) {
    return Search(request, bar, measured);
  });
  router.Add("GET", "/v1/correct",
             [&bar, measured](const HttpRequest& request) {
               return Correct(request, bar, measured);
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
