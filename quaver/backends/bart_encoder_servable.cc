// See bart_encoder_servable.h.
#include "quaver/backends/bart_encoder_servable.h"

#include <array>
#include <span>

#include "quaver/backends/internal/token_rows.h"
#include "quaver/base/clock.h"
#include "quaver/sched/tensors.h"

namespace quaver {

absl::StatusOr<std::unique_ptr<BartEncoderServable>>
BartEncoderServable::Create(const BartNetworkConfig& config,
                            const Kernels& kernels) {
  ASSIGN_OR_RETURN(auto bart, BartInstances::Create(config, kernels));
  return std::unique_ptr<BartEncoderServable>(
      new BartEncoderServable(std::move(bart)));
}

std::vector<TensorSpec> BartEncoderServable::inputs() const {
  return {{kInputIds, Datatype::kInt64, {-1, -1}},
          {kAttentionMask, Datatype::kInt64, {-1, -1}, /*optional=*/true}};
}

std::vector<TensorSpec> BartEncoderServable::outputs() const {
  return {{kEncoderOutput,
           Datatype::kFp32,
           {-1, -1, bart_->model().config().width}}};
}

absl::StatusOr<Tensors> BartEncoderServable::Infer(const Tensors& request,
                                                   const CallOptions& options,
                                                   CallTimes* times) {
  RETURN_IF_ERROR(CheckInputs(inputs(), request));
  const BartModel& model = bart_->model();
  const Tensor& ids = *FindTensor(request, kInputIds);
  ASSIGN_OR_RETURN(const TokenRows rows,
                   ReadTokenRows(ids, FindTensor(request, kAttentionMask),
                                 {.vocab_size = model.config().vocab_size,
                                  .most_tokens = bart_->max_tokens()}));
  const std::vector<int64_t> shape = {ids.shape[0], ids.shape[1],
                                      model.config().width};
  ASSIGN_OR_RETURN(const size_t num_elements, AnswerElements(shape));
  std::vector<float> states(num_elements);
  const size_t stride =
      rows.size() == 0 ? 0 : num_elements / rows.size();  // T * D
  const auto D = static_cast<size_t>(model.config().width);
  const auto encode = [&](BartInstance& instance) -> absl::Status {
    for (size_t b = 0; b < rows.size(); ++b) {
      RETURN_IF_ERROR(CheckWanted(options, Clock::Real().NowUs()));
      model.EncodeStates(
          {rows.ids, std::span(rows.offsets).subspan(b, 2)}, instance.workspace,
          std::span(states).subspan(b * stride, rows.row(b).size() * D));
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(bart_->Run(options, times, encode));
  return Tensors{MakeTensor(kEncoderOutput, Datatype::kFp32, shape, states)};
}

}  // namespace quaver
