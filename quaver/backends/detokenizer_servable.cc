// See detokenizer_servable.h.
#include "quaver/backends/detokenizer_servable.h"

#include "quaver/backends/internal/token_rows.h"
#include "quaver/base/clock.h"
#include "quaver/sched/tensors.h"

namespace quaver {

absl::StatusOr<std::unique_ptr<DetokenizerServable>>
DetokenizerServable::Create(const DetokenizerConfig& config) {
  ASSIGN_OR_RETURN(auto tokenizer, Tokenizer::Load(config.model_folder));
  return std::unique_ptr<DetokenizerServable>(
      new DetokenizerServable(std::move(tokenizer)));
}

std::vector<TensorSpec> DetokenizerServable::inputs() const {
  return {{kInputIds, Datatype::kInt64, {-1, -1}},
          {kAttentionMask, Datatype::kInt64, {-1, -1}, /*optional=*/true}};
}

std::vector<TensorSpec> DetokenizerServable::outputs() const {
  return {{"TEXT", Datatype::kBytes, {-1}}};
}

absl::StatusOr<Tensors> DetokenizerServable::Infer(const Tensors& request,
                                                   const CallOptions& options,
                                                   CallTimes* /*times*/) {
  RETURN_IF_ERROR(CheckWanted(options, Clock::Real().NowUs()));
  RETURN_IF_ERROR(CheckInputs(inputs(), request));
  ASSIGN_OR_RETURN(const TokenRows rows,
                   ReadTokenRows(*FindTensor(request, kInputIds),
                                 FindTensor(request, kAttentionMask),
                                 {.vocab_size = tokenizer_->vocab_size(),
                                  .least_tokens = 0,
                                  .most_tokens = kMaxTokens}));
  Tensor text{.name = "TEXT",
              .datatype = Datatype::kBytes,
              .shape = {static_cast<int64_t>(rows.size())},
              .strings = {},
              .raw = {}};
  for (size_t b = 0; b < rows.size(); ++b) {
    text.strings.push_back(tokenizer_->Decode(rows.row(b)));
  }
  return Tensors{std::move(text)};
}

}  // namespace quaver
