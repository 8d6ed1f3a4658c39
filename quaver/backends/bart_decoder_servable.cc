// See bart_decoder_servable.h.
#include "quaver/backends/bart_decoder_servable.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "quaver/backends/internal/token_rows.h"
#include "quaver/base/clock.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

constexpr char kDecoderInputIds[] = "DECODER_INPUT_IDS";
constexpr char kEncoderMask[] = "ENCODER_ATTENTION_MASK";
constexpr char kLastOnly[] = "LAST_ONLY";

// Of `size` tokens, one after the other, each in the slot of its position.
struct Positions {
  std::vector<uint32_t> positions, seen, seen_offsets{0};

  explicit Positions(size_t size) : positions(size) {
    std::iota(positions.begin(), positions.end(), 0);
    for (size_t end = 1; end <= size; ++end) {
      seen.insert(seen.end(), positions.begin(),
                  positions.begin() + static_cast<std::ptrdiff_t>(end));
      seen_offsets.push_back(static_cast<uint32_t>(seen.size()));
    }
  }
};

absl::StatusOr<bool> ReadLastOnly(const Tensor* tensor) {
  if (tensor == nullptr || tensor->raw.empty()) return false;
  const std::vector<uint8_t> values = ValuesOf<uint8_t>(*tensor);
  if (std::any_of(values.begin(), values.end(),
                  [&](uint8_t value) { return value != values[0]; })) {
    return absl::InvalidArgumentError(fmt::format(
        "input '{}' has to be the same for all rows", tensor->name));
  }
  return values[0] != 0;
}

}  // namespace

struct BartDecoderServable::Question {
  TokenRows target;
  std::vector<float> states;  // [B, S, D]
  size_t S = 0;
  std::vector<size_t> source_sizes;  // [B]
  bool last_only = false;
};

absl::StatusOr<std::unique_ptr<BartDecoderServable>>
BartDecoderServable::Create(const BartNetworkConfig& config,
                            const Kernels& kernels) {
  ASSIGN_OR_RETURN(auto bart, BartInstances::Create(config, kernels));
  return std::unique_ptr<BartDecoderServable>(
      new BartDecoderServable(std::move(bart)));
}

std::vector<TensorSpec> BartDecoderServable::inputs() const {
  const int64_t D = bart_->model().config().width;
  return {{kDecoderInputIds, Datatype::kInt64, {-1, -1}},
          {kEncoderOutput, Datatype::kFp32, {-1, -1, D}},
          {kEncoderMask, Datatype::kInt64, {-1, -1}, /*optional=*/true},
          {kLastOnly, Datatype::kBool, {-1}, /*optional=*/true}};
}

std::vector<TensorSpec> BartDecoderServable::outputs() const {
  const int64_t V = bart_->model().config().vocab_size;
  return {{"LOGITS", Datatype::kFp32, {-1, -1, V}}};
}

absl::StatusOr<BartDecoderServable::Question> BartDecoderServable::Read(
    const Tensors& request) const {
  RETURN_IF_ERROR(CheckInputs(inputs(), request));
  Question question;
  ASSIGN_OR_RETURN(
      question.target,
      ReadTokenRows(*FindTensor(request, kDecoderInputIds), nullptr,
                    {.vocab_size = bart_->model().config().vocab_size,
                     .most_tokens = bart_->max_tokens()}));
  const size_t B = question.target.size();
  for (const Tensor& tensor : request) {
    if (tensor.shape[0] == static_cast<int64_t>(B)) continue;
    return absl::InvalidArgumentError(
        fmt::format("input '{}' has {} rows, input '{}' has {}", tensor.name,
                    tensor.shape[0], kDecoderInputIds, B));
  }
  const Tensor& states = *FindTensor(request, kEncoderOutput);
  question.S = static_cast<size_t>(states.shape[1]);
  question.source_sizes.assign(B, question.S);
  if (const Tensor* mask = FindTensor(request, kEncoderMask)) {
    ASSIGN_OR_RETURN(question.source_sizes,
                     ReadMask(*mask, {states.shape[0], states.shape[1]}));
  }
  for (const size_t size : question.source_sizes) {
    if (size >= 1 && size <= static_cast<size_t>(bart_->max_tokens())) continue;
    return absl::InvalidArgumentError(
        fmt::format("input '{}' has a row of {} states; expected 1 to {}",
                    kEncoderOutput, size, bart_->max_tokens()));
  }
  question.states = ValuesOf<float>(states);
  if (!std::all_of(question.states.begin(), question.states.end(),
                   [](float value) { return std::isfinite(value); })) {
    return absl::InvalidArgumentError(fmt::format(
        "input '{}' has a state that is no finite number", kEncoderOutput));
  }
  ASSIGN_OR_RETURN(question.last_only,
                   ReadLastOnly(FindTensor(request, kLastOnly)));
  return question;
}

void BartDecoderServable::Decode(const Question& question, size_t b,
                                 BartInstance& instance,
                                 std::vector<float>& logits) const {
  const BartModel& model = bart_->model();
  const auto D = static_cast<size_t>(model.config().width);
  const auto V = static_cast<size_t>(model.config().vocab_size);
  const size_t source_size = question.source_sizes[b];
  model.PutSource(
      std::span(question.states).subspan(b * question.S * D, source_size * D),
      0, instance.workspace, instance.cache);
  const std::span<const int32_t> tokens = question.target.row(b);
  const size_t T = tokens.size();
  const Positions places(T);
  const std::vector<uint32_t> begins(T);
  const std::vector<uint32_t> ends(T, static_cast<uint32_t>(source_size));
  const DecoderRows rows{tokens,      places.positions,    places.positions,
                         places.seen, places.seen_offsets, begins,
                         ends};
  if (!question.last_only) {
    model.Decode(rows, instance.workspace, instance.cache,
                 std::span(logits).subspan(b * T * V, T * V));
    return;
  }
  std::vector<float> all(T * V);
  model.Decode(rows, instance.workspace, instance.cache, all);
  std::copy(all.end() - static_cast<std::ptrdiff_t>(V), all.end(),
            logits.begin() + static_cast<std::ptrdiff_t>(b * V));
}

absl::StatusOr<Tensors> BartDecoderServable::Infer(const Tensors& request,
                                                   const CallOptions& options,
                                                   CallTimes* times) {
  ASSIGN_OR_RETURN(const Question question, Read(request));
  const std::vector<int64_t>& target_shape =
      FindTensor(request, kDecoderInputIds)->shape;
  const std::vector<int64_t> shape = {target_shape[0],
                                      question.last_only ? 1 : target_shape[1],
                                      bart_->model().config().vocab_size};
  ASSIGN_OR_RETURN(const size_t num_elements, AnswerElements(shape));
  std::vector<float> logits(num_elements);
  const auto decode = [&](BartInstance& instance) -> absl::Status {
    for (size_t b = 0; b < question.target.size(); ++b) {
      RETURN_IF_ERROR(CheckWanted(options, Clock::Real().NowUs()));
      Decode(question, b, instance, logits);
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(bart_->Run(options, times, decode));
  return Tensors{MakeTensor("LOGITS", Datatype::kFp32, shape, logits)};
}

}  // namespace quaver
