// See trainer.h.
#include "quaver/train/torch/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"
#include "quaver/base/workers.h"
#include "quaver/train/fused.h"
#include "quaver/train/torch/buckets.h"

// Of OpenBLAS, where libtorch's float products come from it: its threads are
// its own.
extern "C" __attribute__((weak)) void openblas_set_num_threads(int threads);

namespace quaver {
namespace {

constexpr int64_t kBucket = int64_t{1} << 20;
constexpr double kLeastScale = 1, kMostScale = 65'536;
constexpr int kGrowAfter = 1'000;    // updates without an overflow
constexpr int64_t kMaxAnswers = 64;  // texts answered at once

// Parts of about equal numbers of tokens and about `micro_tokens` at most, as
// many for every worker.
std::vector<Batch> Parts(const Batch& batch, int64_t micro_tokens,
                         int workers) {
  const int64_t tokens = batch.useful_tokens();
  const int64_t rounds = std::max<int64_t>(
      1, (tokens + workers * micro_tokens - 1) / (workers * micro_tokens));
  return SplitEvenly(batch, rounds * workers);
}

// Whether every label of a text is right, text by text.
std::vector<bool> WholeTextsRight(const Batch& batch, const at::Tensor& right) {
  const auto* flags = right.data_ptr<uint8_t>();
  std::vector<bool> whole;
  for (size_t s = 0; s < batch.target.texts(); ++s) {
    bool all = true;
    for (int32_t i = batch.target.offsets[s]; i < batch.target.offsets[s + 1];
         ++i) {
      all = all && flags[i] != 0;
    }
    whole.push_back(all);
  }
  return whole;
}

}  // namespace

struct Trainer::Impl {
  Impl(const TrainerConfig& config_, Reducer* reducer_);

  struct Sums {
    double loss = 0;
    int64_t labels = 0, tokens = 0;
  };
  Sums RunWorker(int worker, const std::vector<Batch>& parts, int64_t step);
  void SumGradients();
  void SumRange(int64_t begin, int64_t end);
  void UpdateScale(bool updated);

  TrainerConfig config;
  Reducer* reducer;
  Team team;
  std::vector<Parameters> parameters;  // of each worker; the first is the model
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Buckets> buckets;
  double scale = 1;
  int good_steps = 0;
};

Trainer::Impl::Impl(const TrainerConfig& config_, Reducer* reducer_)
    : config(config_),
      reducer(reducer_),
      team(config.workers > 0 && config.device.is_cpu() ? config.workers
           : config.device.is_cpu()                     ? AvailableCores()
                                                        : 1,
           [&](int) {
             // Denormal numbers mean nothing here and slow products down.
             at::globalContext().setFlushDenormal(true);
             at::set_num_threads(config.threads_of_worker);
             if (openblas_set_num_threads != nullptr) {
               openblas_set_num_threads(config.threads_of_worker);
             }
           }) {
  parameters.reserve(team.size());
  parameters.emplace_back(config.shape, config.compute, config.device,
                          /*with_moments=*/true);
  for (int i = 1; i < team.size(); ++i) {
    parameters.push_back(parameters[0].WithOwnGradient());
  }
  optimizer =
      std::make_unique<Optimizer>(parameters[0], team, config.optimizer);
  if (config.compute == at::kHalf) scale = 1'024;
  if (reducer != nullptr) {
    buckets = std::make_unique<Buckets>(
        parameters[0].size(), kBucket, team.size(),
        [this](int64_t begin, int64_t end) {
          SumRange(begin, end);
          reducer->Begin(parameters[0].gradient().slice(0, begin, end));
        });
  }
}

Trainer::Impl::Sums Trainer::Impl::RunWorker(int worker,
                                             const std::vector<Batch>& parts,
                                             int64_t step) {
  const at::NoGradGuard no_autograd;
  const Parameters& own = parameters[worker];
  const int workers = team.size();
  Sums sums;
  const auto count = static_cast<int>(parts.size());
  for (int i = worker; i < count; i += workers) {
    const Batch& part = parts[i];
    sums.tokens += part.useful_tokens();
    sums.labels += static_cast<int64_t>(part.labels.size());
    const BatchTensors tensors =
        ToTensors(config.padded ? WithPadding(part, config.shape.pad_id) : part,
                  config.shape.pad_id, config.device);
    const uint64_t rank = reducer == nullptr ? 0 : reducer->place().rank;
    Tape tape({.training = true,
               .composite = config.composite,
               .dropout = config.dropout,
               .seed = Mix64(config.seed ^
                             Mix64(static_cast<uint64_t>(step) + (rank << 40)) ^
                             static_cast<uint64_t>(i))});
    const Ref encoded = Encode(own, tensors.source, tape);
    const Ref decoded =
        Decode(own, encoded, tensors.source, tensors.target, tape);
    const LossResult loss =
        tape.Loss(decoded, own.Get("shared.weight"), tensors.labels,
                  config.label_smoothing, scale, config.logits_bytes);
    const auto* values = loss.loss.data_ptr<float>();
    sums.loss += std::accumulate(values, values + loss.loss.numel(), 0.0);
    const bool last = i + workers >= count;
    if (last && buckets != nullptr) {
      tape.Backward([this](const Weight& weight) {
        buckets->Ready(weight.begin, weight.end);
      });
    } else {
      tape.Backward();
    }
  }
  // A worker without a part has nothing to add.
  if (worker >= count && buckets != nullptr) buckets->Ready(0, own.size());
  return sums;
}

// The first worker's gradient += the others', which are cleared.
void Trainer::Impl::SumRange(int64_t begin, int64_t end) {
  for (size_t i = 1; i < parameters.size(); ++i) {
    auto* other = parameters[i].gradient().data_ptr<float>();
    AddTo(other, begin, end, parameters[0].gradient().data_ptr<float>());
    std::memset(other + begin, 0, sizeof(float) * (end - begin));
  }
}

void Trainer::Impl::SumGradients() {
  if (reducer != nullptr) {
    reducer->Wait();
  } else if (parameters.size() > 1) {
    ForBlocks(team, 0, parameters[0].size(),
              [&](int64_t begin, int64_t end) { SumRange(begin, end); });
  }
}

// Dynamic loss scaling (Micikevicius et al. 2018).
void Trainer::Impl::UpdateScale(bool updated) {
  if (config.compute != at::kHalf) return;
  good_steps = updated ? good_steps + 1 : 0;
  if (!updated) scale = std::max(kLeastScale, scale / 2);
  if (good_steps == kGrowAfter) {
    scale = std::min(kMostScale, scale * 2);
    good_steps = 0;
  }
}

Trainer::Trainer(const TrainerConfig& config, Reducer* reducer)
    : impl_(std::make_unique<Impl>(config, reducer)) {}
Trainer::~Trainer() = default;

StepResult Trainer::Step(const Batch& batch, int64_t step,
                         double learning_rate) {
  const auto parts =
      Parts(batch, impl_->config.micro_tokens, impl_->team.size());
  if (impl_->buckets != nullptr) impl_->buckets->Begin();
  std::vector<Impl::Sums> sums(impl_->team.size());
  impl_->team.Run([&](int worker) {
    sums[worker] = impl_->RunWorker(worker, parts, step);
  });
  std::vector<double> totals(3);
  for (const Impl::Sums& sum : sums) {
    totals[0] += sum.loss;
    totals[1] += static_cast<double>(sum.labels);
    totals[2] += static_cast<double>(sum.tokens);
  }
  impl_->SumGradients();
  if (impl_->reducer != nullptr) impl_->reducer->Sum(&totals);
  StepResult result;
  result.loss = totals[0] / totals[1];
  result.tokens = static_cast<int64_t>(totals[2]);
  const at::NoGradGuard no_autograd;
  result.gradient_norm = impl_->optimizer->Step(step, learning_rate,
                                                1 / (totals[1] * impl_->scale));
  result.updated = std::isfinite(result.gradient_norm);
  impl_->UpdateScale(result.updated);
  return result;
}

Figures Trainer::Evaluate(const std::vector<HeldOutSet>& sets) {
  const at::NoGradGuard no_autograd;
  Parameters& model = impl_->parameters[0];
  const bool averaged = impl_->optimizer->average().defined();
  at::Tensor kept;
  if (averaged) {
    kept = model.master().clone();
    model.master().copy_(impl_->optimizer->average());
    model.SyncShadow();
  }
  Figures figures;
  double loss = 0;
  int64_t labels = 0;
  for (const HeldOutSet& set : sets) {
    const auto parts =
        Parts(set.batch, impl_->config.micro_tokens, impl_->team.size());
    std::vector<int64_t> right(impl_->team.size());
    std::vector<double> losses(impl_->team.size());
    impl_->team.Run([&](int worker) {
      const at::NoGradGuard guard;
      for (size_t i = worker; i < parts.size(); i += impl_->team.size()) {
        const BatchTensors tensors = ToTensors(
            parts[i], impl_->config.shape.pad_id, impl_->config.device);
        Tape tape({.training = false, .composite = impl_->config.composite});
        const Ref encoded = Encode(model, tensors.source, tape);
        const Ref decoded =
            Decode(model, encoded, tensors.source, tensors.target, tape);
        const LossResult result =
            tape.Loss(decoded, model.Get("shared.weight"), tensors.labels, 0, 1,
                      impl_->config.logits_bytes);
        const auto* values = result.loss.data_ptr<float>();
        losses[worker] +=
            std::accumulate(values, values + result.loss.numel(), 0.0);
        const auto whole = WholeTextsRight(parts[i], result.right);
        right[worker] += std::count(whole.begin(), whole.end(), true);
      }
    });
    const int64_t sum = std::accumulate(right.begin(), right.end(), int64_t{0});
    figures.exact_fix.emplace_back(
        set.name, static_cast<double>(sum) /
                      static_cast<double>(set.batch.source.texts()));
    loss += std::accumulate(losses.begin(), losses.end(), 0.0);
    labels += static_cast<int64_t>(set.batch.labels.size());
  }
  if (labels > 0) figures.loss = loss / static_cast<double>(labels);
  if (averaged) {
    model.master().copy_(kept);
    model.SyncShadow();
  }
  return figures;
}

std::vector<std::vector<int32_t>> Trainer::Answer(const PackedTexts& sources,
                                                  int64_t max_tokens) {
  const at::NoGradGuard no_autograd;
  const BartShape& shape = impl_->config.shape;
  const Parameters& model = impl_->parameters[0];
  const auto texts = static_cast<int64_t>(sources.texts());
  std::vector<std::vector<int32_t>> answers(texts);
  // One token more for all that are not done, from the beginning each time:
  // answers are short, and this is not the engine that serves.
  for (int64_t first = 0; first < texts; first += kMaxAnswers) {
    const int64_t last = std::min(texts, first + kMaxAnswers);
    std::vector<int64_t> open;
    for (int64_t s = first; s < last; ++s) open.push_back(s);
    std::vector<std::vector<int32_t>> read(texts);
    for (const int64_t s : open) read[s] = {shape.decoder_start_id};
    if (shape.forced_bos) {
      for (const int64_t s : open) read[s].push_back(shape.bos_id);
    }
    for (int64_t step = 0; step < max_tokens && !open.empty(); ++step) {
      Batch batch;
      for (const int64_t s : open) {
        batch.source.Add(
            std::span(sources.ids)
                .subspan(sources.offsets[s],
                         sources.offsets[s + 1] - sources.offsets[s]));
        batch.target.Add(read[s]);
      }
      const BatchTensors tensors =
          ToTensors(batch, shape.pad_id, impl_->config.device);
      Tape tape({.training = false, .composite = impl_->config.composite});
      const Ref encoded = Encode(model, tensors.source, tape);
      const Ref decoded =
          Decode(model, encoded, tensors.source, tensors.target, tape);
      const at::Tensor ends =
          tensors.target.offsets.slice(0, 1, 1 + open.size()).to(at::kLong) - 1;
      const Ref rows = std::make_shared<Node>(Node{
          decoded->value.index_select(0, ends.to(impl_->config.device)), {}});
      const at::Tensor best = tape.Logits(rows, model.Get("shared.weight"))
                                  .to(at::kFloat)
                                  .argmax(1)
                                  .cpu();
      std::vector<int64_t> still;
      for (size_t i = 0; i < open.size(); ++i) {
        const auto id = static_cast<int32_t>(best.data_ptr<int64_t>()[i]);
        if (id == shape.eos_id) continue;
        answers[open[i]].push_back(id);
        read[open[i]].push_back(id);
        const bool room =
            static_cast<int64_t>(read[open[i]].size()) < shape.max_positions;
        if (room) still.push_back(open[i]);
      }
      open = std::move(still);
    }
  }
  return answers;
}

Parameters& Trainer::parameters() { return impl_->parameters[0]; }
Optimizer& Trainer::optimizer() { return *impl_->optimizer; }
Team& Trainer::team() { return impl_->team; }
double Trainer::loss_scale() const { return impl_->scale; }
void Trainer::set_loss_scale(double scale) { impl_->scale = scale; }

at::Tensor Trainer::judged_weights() {
  const at::Tensor& average = impl_->optimizer->average();
  return average.defined() ? average : parameters().master();
}

absl::StatusOr<at::ScalarType> ChooseType(const std::string& precision,
                                          at::Device device) {
  if (precision == "fp32") return at::kFloat;
  if (precision == "bf16") return at::kBFloat16;
  if (precision == "fp16") {
    if (!device.is_cpu()) return at::kHalf;
    return absl::UnimplementedError(
        "fp16 is for GPUs without bf16: on CPU use bf16 or fp32");
  }
  if (!device.is_cpu()) return at::kBFloat16;
#if defined(__x86_64__)
  // In software bf16 is slower than float.
  std::ifstream info("/proc/cpuinfo");
  const std::string text((std::istreambuf_iterator<char>(info)),
                         std::istreambuf_iterator<char>());
  return text.find("avx512_bf16") != std::string::npos ||
                 text.find("amx_bf16") != std::string::npos
             ? at::kBFloat16
             : at::kFloat;
#else
  return at::kFloat;
#endif
}

absl::StatusOr<at::Device> ChooseDevice(const std::string& name, int gpu) {
  const bool has_cuda = at::globalContext().hasCUDA();
  if (name == "cpu" || (name == "auto" && !has_cuda)) {
    return at::Device(at::kCPU);
  }
  if (name != "auto" && name != "cuda") {
    return absl::InvalidArgumentError(fmt::format(
        "no device is named '{}'; there are auto, cpu, cuda", name));
  }
  if (!has_cuda) {
    return absl::FailedPreconditionError(
        "no CUDA device is there, or this libtorch was built without CUDA: "
        "leave --device out, or build with a CUDA libtorch in "
        "CMAKE_PREFIX_PATH");
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(gpu));
}

}  // namespace quaver
