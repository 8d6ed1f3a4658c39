// See run.h.
#include "quaver/train/torch/run.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/clock.h"
#include "quaver/base/file.h"
#include "quaver/base/log.h"
#include "quaver/base/workers.h"
#include "quaver/text/bpe_trainer.h"
#include "quaver/train/metrics.h"
#include "quaver/train/output.h"
#include "quaver/train/torch/checkpoint.h"
#include "quaver/train/torch/peak.h"
#include "quaver/train/torch/trainer.h"
#include "quaver/train/training_data.h"

namespace quaver {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPairsAToken = 40;  // that a tokenizer is trained on
constexpr int64_t kLogsAnEvaluation = 20;
constexpr int64_t kProgressUs = 2'000'000;

volatile std::sig_atomic_t stop_asked = 0;
void AskToStop(int) { stop_asked = 1; }

// Signals are handled while it lives.
class StopOnSignals {
 public:
  StopOnSignals() {
    stop_asked = 0;
    old_int_ = std::signal(SIGINT, AskToStop);
    old_term_ = std::signal(SIGTERM, AskToStop);
  }
  ~StopOnSignals() {
    std::signal(SIGINT, old_int_);
    std::signal(SIGTERM, old_term_);
  }

 private:
  void (*old_int_)(int);
  void (*old_term_)(int);
};

absl::StatusOr<Recipe> ReadRecipe(const CorrectorOptions& options) {
  ASSIGN_OR_RETURN(Recipe recipe, PresetRecipe(options.preset));
  if (!options.config.empty()) {
    ASSIGN_OR_RETURN(const std::string json, ReadFile(options.config));
    auto changed = ApplyJson(recipe, json);
    if (!changed.ok()) return Annotate(changed.status(), options.config);
    recipe = *std::move(changed);
  }
  if (options.steps > 0) recipe.steps = options.steps;
  RETURN_IF_ERROR(CheckRecipe(recipe));
  return recipe;
}

absl::StatusOr<std::unique_ptr<const Bpe>> TrainTokenizer(
    const PairMaker& maker, int64_t vocab_size, bool typed_too) {
  BpeTrainer trainer({.vocab_size = static_cast<int>(vocab_size)});
  for (int64_t i = 0; i < kPairsAToken * vocab_size; ++i) {
    const Pair pair = maker.Make(static_cast<uint64_t>(i));
    trainer.Add(pair.meant);
    if (typed_too) trainer.Add(pair.typed);
  }
  ASSIGN_OR_RETURN(BpeSpec spec, trainer.Train());
  return Bpe::FromSpec(std::move(spec));
}

double Number(const RunState& state, const std::string& name) {
  const auto at = state.texts.find(name);
  double value = 0;
  if (at != state.texts.end()) {
    std::from_chars(at->second.data(), at->second.data() + at->second.size(),
                    value);
  }
  return value;
}

// Names the fields in which two JSON objects differ.
std::string Differences(const std::string& a, const std::string& b) {
  const auto one = nlohmann::json::parse(a, nullptr, false);
  const auto two = nlohmann::json::parse(b, nullptr, false);
  if (!one.is_object() || !two.is_object()) return "all of it";
  std::string names;
  for (const auto& [name, value] : one.items()) {
    if (two.contains(name) && two[name] == value) continue;
    names += fmt::format("{}{} ({} then, {} now)", names.empty() ? "" : ", ",
                         name, two.contains(name) ? two[name].dump() : "none",
                         value.dump());
  }
  return names;
}

class Run {
 public:
  explicit Run(const CorrectorOptions& options) : options_(options) {}

  absl::Status Prepare();
  absl::Status Train();

 private:
  bool OutOfTime();
  absl::Status CheckFolder() const;
  absl::Status MakeModel();
  absl::Status Resume();
  absl::Status CheckGradient(const StepResult& result, int64_t step) const;
  void Log(int64_t step, const StepResult& result);
  void AddMetric(int64_t step);
  void ShowProgress(bool last);
  absl::Status Evaluate();
  absl::Status SaveBest(const Figures& figures);
  absl::Status SaveCheckpoint();
  uint64_t NeededBytes() const;
  absl::Status WriteMetrics() const;

  std::string Path(const char* name) const { return options_.out + "/" + name; }
  bool is_first() const {
    return reducer_ == nullptr || reducer_->place().rank == 0;
  }

  const CorrectorOptions options_;
  Recipe recipe_;
  TrainingData data_;
  std::unique_ptr<const Bpe> tokenizer_;
  BartShape shape_;
  std::unique_ptr<PairEncoder> encoder_;
  std::vector<HeldOutSet> held_out_;
  std::unique_ptr<Reducer> reducer_;
  std::unique_ptr<Trainer> trainer_;
  double peak_ = 0;

  int64_t step_ = 0;  // the last complete one
  double best_ = -INFINITY;
  int64_t not_better_ = 0;
  std::vector<Metric> metrics_;
  // Since the last line of metrics.
  double loss_sum_ = 0;
  double gradient_norm_ = 0;
  int64_t logged_steps_ = 0, logged_tokens_ = 0;
  int64_t mark_us_ = 0, shown_us_ = 0;
  double seconds_ = 0;
};

absl::Status Run::CheckFolder() const {
  std::error_code error;
  const bool has_checkpoint = fs::exists(Path("checkpoint.safetensors"), error);
  if (options_.resume) {
    if (has_checkpoint) return absl::OkStatus();
    return absl::NotFoundError(fmt::format(
        "{}: no checkpoint.safetensors to resume from", options_.out));
  }
  const bool empty =
      !fs::exists(options_.out, error) || fs::is_empty(options_.out, error);
  if (empty || options_.force) return absl::OkStatus();
  return absl::AlreadyExistsError(fmt::format(
      "{} is not empty: --resume goes on with what is there{}, --force "
      "replaces it",
      options_.out, has_checkpoint ? "" : " (there is no checkpoint)"));
}

absl::Status Run::MakeModel() {
  const std::string known = options_.resume          ? options_.out
                            : !options_.from.empty() ? options_.from
                                                     : options_.tokenizer;
  if (known.empty()) {
    ASSIGN_OR_RETURN(tokenizer_,
                     TrainTokenizer(*data_.maker, recipe_.vocab_size,
                                    !options_.pairs.empty()));
  } else {
    ASSIGN_OR_RETURN(tokenizer_, Bpe::Load(known));
  }
  const bool has_shape = options_.resume || !options_.from.empty();
  if (has_shape) {
    ASSIGN_OR_RETURN(shape_, LoadBartShape(known));
  } else {
    ASSIGN_OR_RETURN(shape_, PresetShape(recipe_.preset));
    // bart-base's shape stays what it is with a smaller vocabulary.
    if (recipe_.preset != "base") shape_.vocab_size = 0;
    shape_.vocab_size =
        std::max<int64_t>(shape_.vocab_size, tokenizer_->vocab_size());
  }
  if (tokenizer_->vocab_size() > shape_.vocab_size) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the tokenizer has {} tokens, the model knows {}",
                    known, tokenizer_->vocab_size(), shape_.vocab_size));
  }
  if (tokenizer_->spec().after.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the tokenizer puts no end after a text", known));
  }
  if (recipe_.max_tokens > shape_.max_positions) {
    return absl::InvalidArgumentError(
        fmt::format("max_tokens {} is more than the model's {} positions",
                    recipe_.max_tokens, shape_.max_positions));
  }
  encoder_ =
      std::make_unique<PairEncoder>(*tokenizer_, shape_, recipe_.max_tokens);
  ASSIGN_OR_RETURN(
      const at::Device device,
      ChooseDevice(options_.device,
                   reducer_ == nullptr ? 0 : reducer_->place().local_rank));
  ASSIGN_OR_RETURN(const at::ScalarType type,
                   ChooseType(recipe_.precision, device));
  TrainerConfig config = {
      .shape = shape_,
      .compute = type,
      .device = device,
      .workers = options_.workers,
      .threads_of_worker =
          options_.workers == 0
              ? 1
              : std::max(1, AvailableCores() / options_.workers),
      .micro_tokens = recipe_.micro_tokens,
      .dropout = recipe_.dropout,
      .label_smoothing = recipe_.label_smoothing,
      .padded = recipe_.padding,
      .seed = recipe_.seed};
  config.optimizer = {.weight_decay = recipe_.weight_decay,
                      .clip = recipe_.clip,
                      .average = recipe_.average,
                      .muon = recipe_.optimizer == "muon"};
  try {
    trainer_ = std::make_unique<Trainer>(config, reducer_.get());
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        "not enough memory for the model's weights and moments");
  }
  if (!options_.from.empty() && !options_.resume) {
    RETURN_IF_ERROR(LoadWeights(options_.from, trainer_->parameters()));
  } else {
    trainer_->parameters().Initialise(recipe_.seed);
  }
  at::Tensor& average = trainer_->optimizer().average();
  if (average.defined()) average.copy_(trainer_->parameters().master());
  LogInfo("{:.1f} M weights, {} tokens, computed in {} by {} workers",
          static_cast<double>(NumParameters(shape_)) / 1e6, shape_.vocab_size,
          at::toString(type), trainer_->team().size());
  return absl::OkStatus();
}

absl::Status Run::Resume() {
  ASSIGN_OR_RETURN(RunState state, LoadState(Path("checkpoint.safetensors")));
  const std::string differences =
      Differences(ToJson(recipe_), state.texts["recipe"]);
  if (!differences.empty()) {
    return absl::FailedPreconditionError(fmt::format(
        "{} was made with other settings: {}", options_.out, differences));
  }
  if (state.texts["data_hash"] != data_.hash) {
    return absl::FailedPreconditionError(
        fmt::format("{} was made from another catalogue or other misspellings",
                    options_.out));
  }
  Parameters& parameters = trainer_->parameters();
  std::vector<std::pair<std::string, at::Tensor*>> wanted = {
      {"weights", &parameters.master()},
      {"moment1", &parameters.moment1()},
      {"moment2", &parameters.moment2()}};
  if (recipe_.average > 0) {
    wanted.emplace_back("average", &trainer_->optimizer().average());
  }
  for (const auto& [name, to] : wanted) {
    const auto at = state.tensors.find(name);
    if (at == state.tensors.end() || at->second.numel() != to->numel()) {
      return absl::DataLossError(fmt::format(
          "{}: the checkpoint's {} do not fit the model", options_.out, name));
    }
    to->copy_(at->second);
  }
  parameters.SyncShadow();
  step_ = static_cast<int64_t>(Number(state, "step"));
  best_ = Number(state, "best");
  not_better_ = static_cast<int64_t>(Number(state, "not_better"));
  seconds_ = Number(state, "seconds");
  trainer_->set_loss_scale(Number(state, "loss_scale"));
  const auto lines = ReadFile(Path("metrics.jsonl"));
  if (lines.ok()) {
    ASSIGN_OR_RETURN(metrics_, ParseMetrics(*lines));
    std::erase_if(metrics_, [&](const Metric& m) { return m.step > step_; });
  }
  LogInfo("going on after step {}", step_);
  return absl::OkStatus();
}

absl::Status Run::Prepare() {
  if (options_.catalogue.empty() == options_.pairs.empty()) {
    return absl::InvalidArgumentError(
        "either --catalogue or --pairs has to be given");
  }
  ASSIGN_OR_RETURN(recipe_, ReadRecipe(options_));
  ASSIGN_OR_RETURN(const ProcessPlace place, PlaceFromEnvironment());
  if (place.rank == 0) RETURN_IF_ERROR(CheckFolder());
  RETURN_IF_ERROR(ChooseDevice(options_.device).status());
  ASSIGN_OR_RETURN(data_,
                   ReadTrainingData({.catalogue = options_.catalogue,
                                     .misspellings = options_.misspellings,
                                     .pairs = options_.pairs,
                                     .config = recipe_.pairs}));
  if (place.world > 1) {
    if (recipe_.batch_pairs < place.world) {
      return absl::InvalidArgumentError(fmt::format(
          "batch_pairs {} is less than one for each of {} processes",
          recipe_.batch_pairs, place.world));
    }
    ASSIGN_OR_RETURN(reducer_, Reducer::Join(place));
  }
  RETURN_IF_ERROR(MakeModel());
  if (options_.resume) RETURN_IF_ERROR(Resume());
  held_out_ = MakeHeldOutSets(data_.texts, *data_.judging_noise, *data_.maker,
                              *encoder_, recipe_.held_out_rows, recipe_.seed);
  peak_ = MeasureProductPeak(trainer_->team(), trainer_->parameters().compute(),
                             trainer_->parameters().device());
  LogInfo("products reach {:.0f} GFLOP/s", peak_ / 1e9);
  if (!is_first()) return absl::OkStatus();
  if (!options_.resume && options_.force) {
    std::error_code error;
    fs::remove(Path("checkpoint.safetensors"), error);
  }
  RETURN_IF_ERROR(WriteModelFiles(options_.out, shape_, *tokenizer_));
  return CheckSpace(options_.out, NeededBytes());
}

// A checkpoint is written beside the one before, and the model in bf16.
uint64_t Run::NeededBytes() const {
  const uint64_t num_tensors =
      trainer_->optimizer().average().defined() ? 4 : 3;
  const auto size = static_cast<uint64_t>(trainer_->parameters().size());
  const uint64_t new_checkpoints = options_.resume ? 1 : 2;
  return size * (new_checkpoints * num_tensors * sizeof(float) + 2 * 2);
}

absl::Status Run::CheckGradient(const StepResult& result, int64_t step) const {
  const bool scaled = trainer_->parameters().compute() == at::kHalf;
  if ((result.updated || scaled) && std::isfinite(result.loss)) {
    return absl::OkStatus();
  }
  return absl::InternalError(fmt::format(
      "the loss or gradient of step {} (pairs {} to {}) is no number: try a "
      "lower learning_rate, or precision fp32; the state after step {} is kept",
      step, (step - 1) * recipe_.batch_pairs, step * recipe_.batch_pairs - 1,
      step_));
}

void Run::Log(int64_t step, const StepResult& result) {
  loss_sum_ += result.loss;
  ++logged_steps_;
  logged_tokens_ += result.tokens;
  gradient_norm_ = result.gradient_norm;
  const int64_t every =
      std::max<int64_t>(1, recipe_.evaluate_every / kLogsAnEvaluation);
  if (step % every == 0) AddMetric(step);
  const int64_t now = Clock::Real().NowUs();
  if (now - shown_us_ >= kProgressUs) {
    ShowProgress(false);
    shown_us_ = now;
  }
}

// Of the steps since the metric before.
void Run::AddMetric(int64_t step) {
  const int64_t now = Clock::Real().NowUs();
  const double passed = static_cast<double>(now - mark_us_) / 1e6;
  seconds_ += passed;
  mark_us_ = now;
  Metric metric;
  metric.step = step;
  metric.seconds = seconds_;
  if (logged_steps_ > 0) {
    metric.loss = loss_sum_ / static_cast<double>(logged_steps_);
    metric.learning_rate = LearningRate(recipe_, step);
    metric.gradient_norm = gradient_norm_;
    metric.tokens_per_s = static_cast<double>(logged_tokens_) / passed;
    const double flops = 0.5 * (TrainingFlopsPerSourceToken(shape_) +
                                TrainingFlopsPerTargetToken(shape_));
    const int world = reducer_ == nullptr ? 1 : reducer_->place().world;
    metric.mfu = metric.tokens_per_s * flops / (peak_ * world);
  }
  metrics_.push_back(std::move(metric));
  loss_sum_ = 0;
  logged_steps_ = logged_tokens_ = 0;
}

void Run::ShowProgress(bool last) {
  if (!is_first()) return;
  const std::string line = ProgressLine(metrics_, recipe_.steps);
  const bool terminal = isatty(STDERR_FILENO) != 0;
  std::fprintf(stderr, "%s%s%s", terminal ? "\r\x1b[K" : "", line.c_str(),
               terminal && !last ? "" : "\n");
}

absl::Status Run::SaveBest(const Figures& figures) {
  RETURN_IF_ERROR(SaveWeights(options_.out, trainer_->parameters(),
                              trainer_->judged_weights(), at::kBFloat16));
  Origin origin;
  origin.recipe_json = ToJson(recipe_);
  origin.from = options_.from;
  origin.data_hash = data_.hash;
  origin.num_texts = static_cast<int64_t>(data_.texts.size());
  origin.steps = step_;
  origin.pairs = step_ * recipe_.batch_pairs;
  origin.hours = seconds_ / 3'600;
  origin.tokens_per_s = metrics_.empty() ? 0 : metrics_.back().tokens_per_s;
  origin.figures = figures;
  return WriteOrigin(options_.out, shape_, origin);
}

absl::Status Run::Evaluate() {
  if (metrics_.empty() || metrics_.back().step != step_) AddMetric(step_);
  const int64_t start = Clock::Real().NowUs();
  const Figures figures = trainer_->Evaluate(held_out_);
  mark_us_ += Clock::Real().NowUs() - start;  // judging is not training
  Metric& metric = metrics_.back();
  metric.evaluated = true;
  metric.held_out_loss = figures.loss;
  metric.score = figures.score();
  metric.exact_fix = figures.exact_fix;
  const bool better = metric.score > best_;
  not_better_ = better ? 0 : not_better_ + 1;
  if (better) best_ = metric.score;
  ShowProgress(false);
  if (!is_first()) return absl::OkStatus();
  if (better) RETURN_IF_ERROR(SaveBest(figures));
  return WriteMetrics();
}

absl::Status Run::WriteMetrics() const {
  std::string lines;
  for (const Metric& metric : metrics_) lines += ToJsonLine(metric);
  RETURN_IF_ERROR(WriteFileAtomically(Path("metrics.jsonl"), lines));
  return WriteFileAtomically(
      Path("report.html"),
      ReportHtml("Training " + fs::path(options_.out).filename().string(),
                 metrics_, ToJson(recipe_)));
}

absl::Status Run::SaveCheckpoint() {
  if (!is_first()) return absl::OkStatus();
  Parameters& parameters = trainer_->parameters();
  RunState state;
  state.tensors = {{"weights", parameters.master()},
                   {"moment1", parameters.moment1()},
                   {"moment2", parameters.moment2()}};
  if (trainer_->optimizer().average().defined()) {
    state.tensors["average"] = trainer_->optimizer().average();
  }
  state.texts = {{"recipe", ToJson(recipe_)},
                 {"data_hash", data_.hash},
                 {"step", std::to_string(step_)},
                 {"best", fmt::format("{}", best_)},
                 {"not_better", std::to_string(not_better_)},
                 {"seconds", fmt::format("{}", seconds_)},
                 {"loss_scale", fmt::format("{}", trainer_->loss_scale())}};
  RETURN_IF_ERROR(SaveState(Path("checkpoint.safetensors"), state));
  return WriteMetrics();
}

// Once a process is, all are: they stop after the same step.
bool Run::OutOfTime() {
  if (options_.minutes <= 0) return false;
  const double since =
      static_cast<double>(Clock::Real().NowUs() - mark_us_) / 1e6;
  std::vector<double> late = {seconds_ + since >= 60 * options_.minutes ? 1.0
                                                                        : 0.0};
  if (reducer_ != nullptr) reducer_->Sum(&late);
  return late[0] > 0;
}

absl::Status Run::Train() {
  const StopOnSignals signals;
  const int world = reducer_ == nullptr ? 1 : reducer_->place().world;
  Loader loader(*data_.maker, *encoder_,
                {.batch_pairs = recipe_.batch_pairs,
                 .rank = reducer_ == nullptr ? 0 : reducer_->place().rank,
                 .world = world,
                 .first_step = step_ + 1,
                 .bpe_dropout = recipe_.bpe_dropout});
  if (reducer_ != nullptr) {
    reducer_->Broadcast(trainer_->parameters().master());
    trainer_->parameters().SyncShadow();
  }
  mark_us_ = shown_us_ = Clock::Real().NowUs();
  while (step_ < recipe_.steps) {
    const int64_t step = step_ + 1;
    const Batch batch = loader.Next();
    StepResult result;
    try {
      result = trainer_->Step(batch, step, LearningRate(recipe_, step));
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError(fmt::format(
          "step {} did not fit into memory: lower micro_tokens", step));
    } catch (const std::exception& error) {
      // Nothing has been updated: the state is that of the step before.
      const absl::Status saved = SaveCheckpoint();
      return absl::AbortedError(fmt::format(
          "step {} failed: {}; {}", step, error.what(),
          saved.ok() ? fmt::format("--resume goes on after step {}", step_)
                     : Message(saved)));
    }
    if (const absl::Status status = CheckGradient(result, step); !status.ok()) {
      RETURN_IF_ERROR(SaveCheckpoint());
      return status;
    }
    step_ = step;
    Log(step, result);
    const bool last = step == recipe_.steps || OutOfTime();
    if (step % recipe_.evaluate_every == 0 || last) {
      RETURN_IF_ERROR(Evaluate());
    }
    if (step % recipe_.checkpoint_every == 0 || last || stop_asked) {
      RETURN_IF_ERROR(SaveCheckpoint());
    }
    if (stop_asked && !last) {
      return absl::CancelledError(fmt::format(
          "stopped by a signal; --resume goes on after step {}", step_));
    }
    if (last) break;
    if (best_ >= recipe_.enough) {
      LogInfo("a score of {:.3f} is enough: done", best_);
      RETURN_IF_ERROR(SaveCheckpoint());
      break;
    }
    if (recipe_.patience > 0 && not_better_ >= recipe_.patience) {
      LogInfo("nothing better since {} evaluations: done", not_better_);
      RETURN_IF_ERROR(SaveCheckpoint());
      break;
    }
  }
  ShowProgress(true);
  return absl::OkStatus();
}

}  // namespace

absl::Status TrainCorrector(const CorrectorOptions& options) {
  Run run(options);
  try {
    RETURN_IF_ERROR(run.Prepare());
    return run.Train();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  }
}

}  // namespace quaver
