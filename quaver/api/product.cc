// See product.h.
#include "quaver/api/product.h"

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/api/access.h"
#include "quaver/api/answers.h"
#include "quaver/api/documents.h"
#include "quaver/api/pages.h"
#include "quaver/api/parameters.h"
#include "quaver/api/search_metrics.h"
#include "quaver/base/clock.h"
#include "quaver/search/query.h"
#include "quaver/serve/infer_call.h"

namespace quaver {
namespace {

// How long a search may take, and when nobody waits for it any more.
CallOptions CallOf(const HttpRequest& request, const ApiConfig& config) {
  CallOptions call{.cancelled = request.gone.get()};
  if (config.search_timeout_us > 0) {
    call.deadline_us = request.received_us + config.search_timeout_us;
  }
  return call;
}

// What is not done in time is due to a server that is too busy.
HttpResponse SearchError(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status)
             ? ErrorResponse(absl::UnavailableError(
                   "too busy to answer in time: try again later"))
             : ErrorResponse(status);
}

// What is searched for; returns the refusal of what cannot be.
std::optional<HttpResponse> ReadSearch(const HttpRequest& request,
                                       SearchRequest& search) {
  Parameters parameters(request, {"q", "types", "limit", "offset", "filter",
                                  "facets", "explain", "spell"});
  search.query = parameters.Text("q");
  search.types = parameters.Types("types");
  search.limit = parameters.Integer("limit", search.limit, 1, kMaxLimit);
  search.offset = parameters.Integer("offset", 0, 0, kMaxOffset);
  search.filter = parameters.FilterOf("filter");
  search.facets = parameters.Flag("facets");
  search.explain = parameters.Flag("explain");
  const auto spell = parameters.Choice("spell", {"auto", "always", "off"});
  search.correct = spell != "off";
  search.gate = spell != "always";
  return parameters.error();
}

HttpResponse Search(const HttpRequest& request, const SearchBar& bar,
                    const ApiConfig& config, const SearchMetrics& metrics) {
  const Clock& clock = Clock::Real();
  Stopwatch stopwatch(clock);
  InferTimes times{.queue_us = clock.NowUs() - request.received_us};
  const auto count = [&](const absl::Status& status, bool in_model) {
    if (config.search_statistics == nullptr) return;
    times.infer_us = stopwatch.LapUs();
    times.total_us = clock.NowUs() - request.received_us;
    CountInfer(*config.search_statistics, status, times, /*batch_size=*/1,
               in_model);
  };
  SearchRequest search;
  if (auto refusal = ReadSearch(request, search)) {
    count(absl::InvalidArgumentError("a parameter"), /*in_model=*/false);
    return *std::move(refusal);
  }
  times.input_us = stopwatch.LapUs();
  search.call = CallOf(request, config);
  const auto answer = bar.Search(search);
  if (answer.ok()) metrics.Observe(search, *answer);
  HttpResponse response = answer.ok() ? JsonResponse(ToJson(search, *answer))
                                      : SearchError(answer.status());
  count(answer.status(), /*in_model=*/true);
  return response;
}

HttpResponse Correct(const HttpRequest& request, const SearchBar& bar,
                     const CallOptions& call, const SearchMetrics& metrics) {
  Parameters parameters(request, {"q", "spell"});
  const bool gate = parameters.Choice("spell", {"auto", "always"}) == "auto";
  if (parameters.error()) return *parameters.error();
  const Stopwatch stopwatch;
  const std::string& query = parameters.Text("q");
  const auto correction = bar.Correct(query, {.gate = gate, .call = call});
  if (!correction.ok()) return SearchError(correction.status());
  metrics.Observe(*correction);
  return JsonResponse(
      ToJson(PrepareQuery(query).raw, *correction, stopwatch.ElapsedUs()));
}

HttpResponse Suggest(const HttpRequest& request, const SearchBar& bar,
                     const CallOptions& call) {
  const Parameters parameters(request, {"q"});
  if (parameters.error()) return *parameters.error();
  const Stopwatch stopwatch;
  const std::string& query = parameters.Text("q");
  const auto suggestions = bar.Suggest(query, call);
  if (!suggestions.ok()) return SearchError(suggestions.status());
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
  router.Add("GET", "/v1/search",
             [&bar, config, measured](const HttpRequest& request) {
               return Search(request, bar, config, measured);
             });
  router.Add("GET", "/v1/correct",
             [&bar, config, measured](const HttpRequest& request) {
               return Correct(request, bar, CallOf(request, config), measured);
             });
  router.Add("GET", "/v1/suggest", [&bar, config](const HttpRequest& request) {
    return Suggest(request, bar, CallOf(request, config));
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
