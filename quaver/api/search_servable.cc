// See search_servable.h.
#include "quaver/api/search_servable.h"

#include <cstdint>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/api/answers.h"
#include "quaver/base/clock.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

constexpr char kQuery[] = "QUERY";
constexpr char kLimit[] = "LIMIT";

}  // namespace

std::vector<TensorSpec> SearchServable::inputs() const {
  return {{kQuery, Datatype::kBytes, {1}},
          {kLimit, Datatype::kInt32, {1}, /*optional=*/true}};
}

std::vector<TensorSpec> SearchServable::outputs() const {
  return {{"RESULT", Datatype::kBytes, {1}}};
}

absl::StatusOr<Tensors> SearchServable::Infer(const Tensors& request,
                                              const CallOptions& options,
                                              CallTimes* times) {
  RETURN_IF_ERROR(CheckInputs(inputs(), request));
  const Stopwatch stopwatch;
  SearchRequest search;
  search.query = FindTensor(request, kQuery)->strings[0];
  if (const Tensor* limit = FindTensor(request, kLimit)) {
    search.limit = ValuesOf<int32_t>(*limit)[0];
  }
  search.call = options;
  ASSIGN_OR_RETURN(const SearchResponse found, bar_.Search(search));
  metrics_.Observe(search, found);
  Tensor result{.name = "RESULT",
                .datatype = Datatype::kBytes,
                .shape = {1},
                .strings = {AnswerText(ToJson(search, found))},
                .raw = {}};
  if (times != nullptr) times->compute_us += stopwatch.ElapsedUs();
  return Tensors{std::move(result)};
}

}  // namespace quaver
