// See spelling_model.h.
#include "quaver/search/internal/spelling_model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>

#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

Tensor Texts(const char* name, const std::vector<std::string>& texts) {
  return {.name = name,
          .datatype = Datatype::kBytes,
          .shape = {static_cast<int64_t>(texts.size())},
          .strings = texts,
          .raw = {}};
}

Tensor Number(const char* name, int32_t value) {
  Tensor tensor{.name = name,
                .datatype = Datatype::kInt32,
                .shape = {1},
                .strings = {},
                .raw = {}};
  tensor.raw.resize(sizeof(value));
  std::memcpy(tensor.raw.data(), &value, sizeof(value));
  return tensor;
}

}  // namespace

absl::StatusOr<ModelOpinion> AskModel(Servable& model, const std::string& text,
                                      const std::vector<std::string>& drafts,
                                      int n_best, const CallOptions& call) {
  ASSIGN_OR_RETURN(const Tensors outputs,
                   model.Infer({Texts("TEXT", {text}), Texts("DRAFTS", drafts),
                                Number("N_BEST", n_best)},
                               call, nullptr));
  std::map<std::string, const Tensor*> by_name;
  for (const Tensor& output : outputs) by_name[output.name] = &output;
  for (const char* name : {"CORRECTED", "SCORE", "DRAFT_SCORE", "PASSES"}) {
    if (by_name.contains(name)) continue;
    return absl::InternalError(
        fmt::format("the corrector's model did not answer {}", name));
  }
  ModelOpinion opinion;
  const auto scores = ValuesOf<float>(*by_name["SCORE"]);
  const auto passes = ValuesOf<int32_t>(*by_name["PASSES"]);
  const auto& texts = by_name["CORRECTED"]->strings;
  opinion.draft_scores = ValuesOf<float>(*by_name["DRAFT_SCORE"]);
  if (scores.size() != texts.size() || passes.size() != 1 ||
      opinion.draft_scores.size() != drafts.size()) {
    return absl::InternalError(
        "the corrector's model answered tensors of other sizes");
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    opinion.answers.push_back({texts[i], scores[i]});
  }
  opinion.passes = passes[0];
  return opinion;
}

}  // namespace quaver
