// See tokenizer_servable.h.
#include "quaver/backends/tokenizer_servable.h"

#include "quaver/backends/internal/token_rows.h"
#include "quaver/base/clock.h"
#include "quaver/sched/tensors.h"

namespace quaver {

absl::StatusOr<std::unique_ptr<TokenizerServable>> TokenizerServable::Create(
    const TokenizerConfig& config) {
  if (config.max_tokens < kMaxIdsAround ||
      config.max_tokens > kGreatestMaxTokens) {
    return absl::InvalidArgumentError(
        fmt::format("TokenizerConfig: max_tokens is {}; it has to be {} to {}",
                    config.max_tokens, kMaxIdsAround, kGreatestMaxTokens));
  }
  ASSIGN_OR_RETURN(auto tokenizer, Tokenizer::Load(config.model_folder));
  return std::unique_ptr<TokenizerServable>(
      new TokenizerServable(config.max_tokens, std::move(tokenizer)));
}

std::vector<TensorSpec> TokenizerServable::inputs() const {
  return {{"TEXT", Datatype::kBytes, {-1}}};
}

std::vector<TensorSpec> TokenizerServable::outputs() const {
  return {{kInputIds, Datatype::kInt64, {-1, -1}},
          {kAttentionMask, Datatype::kInt64, {-1, -1}}};
}

absl::StatusOr<Tensors> TokenizerServable::Infer(const Tensors& request,
                                                 const CallOptions& options,
                                                 CallTimes* /*times*/) {
  RETURN_IF_ERROR(CheckWanted(options, Clock::Real().NowUs()));
  RETURN_IF_ERROR(CheckInputs(inputs(), request));
  TokenRows rows;
  for (const std::string& text : request[0].strings) {
    rows.Add(tokenizer_->Encode(text, max_tokens_));
  }
  return WriteTokenRows(rows, tokenizer_->pad_id());
}

}  // namespace quaver
