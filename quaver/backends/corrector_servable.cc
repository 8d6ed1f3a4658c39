// See corrector_servable.h.
#include "quaver/backends/corrector_servable.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include <fmt/ranges.h>

#include "quaver/backends/tokenizers.h"
#include "quaver/base/check.h"
#include "quaver/base/cores.h"
#include "quaver/base/workers.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr char kText[] = "TEXT";
constexpr char kDrafts[] = "DRAFTS";
constexpr char kNBest[] = "N_BEST";
constexpr double kImpossible = -std::numeric_limits<double>::infinity();

// Of the scored drafts, and of all drafts in a pass: 8 that do not begin alike
// have about 100 tokens.
constexpr int kMaxScoredTokens = 128;
constexpr int kMaxDraftTokens = 48;
constexpr int kGreatestMaxRequests = 256;  // 0.7 GiB an instance

absl::Status CheckTexts(const Tensor& tensor) {
  if (tensor.datatype != Datatype::kBytes) {
    return absl::InvalidArgumentError(
        fmt::format("input {} is not of datatype BYTES", tensor.name));
  }
  if (tensor.shape.size() != 1 || tensor.shape[0] < 0 ||
      static_cast<size_t>(tensor.shape[0]) != tensor.strings.size()) {
    return absl::InvalidArgumentError(fmt::format(
        "input {} has shape [{}] and {} elements; expected [number of texts]",
        tensor.name, fmt::join(tensor.shape, ", "), tensor.strings.size()));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> ReadNumber(const Tensor& tensor, int greatest) {
  int32_t number = 0;
  if (tensor.datatype != Datatype::kInt32) {
    return absl::InvalidArgumentError(
        fmt::format("input {} is not of datatype INT32", tensor.name));
  }
  if (tensor.shape != std::vector<int64_t>{1} ||
      tensor.raw.size() != sizeof(number)) {
    return absl::InvalidArgumentError(fmt::format(
        "input {} has shape [{}] and {} bytes; expected [1]", tensor.name,
        fmt::join(tensor.shape, ", "), tensor.raw.size()));
  }
  std::memcpy(&number, tensor.raw.data(), sizeof(number));
  if (number < 1 || number > greatest) {
    return absl::InvalidArgumentError(fmt::format(
        "input {} is {}; it has to be 1 to {}", tensor.name, number, greatest));
  }
  return number;
}

template <typename Value>
Tensor MakeTensor(const char* name, Datatype datatype,
                  const std::vector<Value>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {name,
          datatype,
          {static_cast<int64_t>(values.size())},
          {},
          {bytes.begin(), bytes.end()}};
}

GeneratorLimits Limits(const BartConfig& config, int max_requests) {
  GeneratorLimits limits;
  limits.max_requests = max_requests;
  limits.max_source_tokens =
      std::min(CorrectorServable::kMaxTokens, config.max_positions);
  // The decoder's start comes before it.
  limits.max_target_tokens =
      std::min(CorrectorServable::kMaxTokens + 1, config.max_positions);
  limits.max_draft_tokens = kMaxDraftTokens;
  limits.max_scored_tokens = kMaxScoredTokens;
  limits.max_alternatives = CorrectorServable::kMaxBest - 1;
  limits.max_rows = kMaxScoredTokens + kMaxDraftTokens +
                    max_requests * (CorrectorServable::kMaxBest - 1);
  return limits;
}

}  // namespace

struct CorrectorServable::Task : SteppedItem {
  GenerationRequest request;
  Generated found;
};

// A generator and its tasks by their ids, null where there is none.
struct CorrectorServable::Instance {
  Instance(const BartModel& model, const GeneratorLimits& limits,
           const TeamConfig& team)
      : generator(model, limits, team),
        tasks(static_cast<size_t>(limits.max_requests)),
        team_size(TeamSize(team)) {
    if (!team.cores.empty()) core = team.cores.front();
  }
  Generator generator;
  std::vector<Task*> tasks;  // [max_requests]
  const int team_size;
  std::optional<int> core;  // of the calling thread
};

struct CorrectorServable::Query {
  std::string text;
  std::vector<std::string> drafts;
  int n_best = 1;
};

absl::StatusOr<std::unique_ptr<CorrectorServable>> CorrectorServable::Create(
    const CorrectorConfig& config, const Kernels& kernels) {
  if (config.num_instances < 0 || config.max_waiting < 0 ||
      std::any_of(
          config.cores.begin(), config.cores.end(),
          [](int core) { return core < 0; })) {
    return absl::InvalidArgumentError(
        "CorrectorConfig: num_instances, max_waiting or a core is negative");
  }
  if (config.threads_per_instance < 1) {
    return absl::InvalidArgumentError(
        "CorrectorConfig: threads_per_instance is below 1");
  }
  if (config.max_requests < 1 || config.max_requests > kGreatestMaxRequests) {
    return absl::InvalidArgumentError(
        fmt::format("CorrectorConfig: max_requests is {}; it has to be 1 to {}",
                    config.max_requests, kGreatestMaxRequests));
  }
  ASSIGN_OR_RETURN(auto model, BartModel::Load(config.model_folder, kernels));
  ASSIGN_OR_RETURN(auto tokenizer, LoadBpe(config.model_folder));
  if (tokenizer->vocab_size() > model->config().vocab_size) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: the tokenizer has {} tokens, config.json's vocab_size is {}",
        config.model_folder, tokenizer->vocab_size(),
        model->config().vocab_size));
  }
  if (model->config().max_positions <= kMaxIdsAround) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {} positions leave no room for a text",
                    config.model_folder, model->config().max_positions));
  }
  return std::unique_ptr<CorrectorServable>(
      new CorrectorServable(config, std::move(model), std::move(tokenizer)));
}

CorrectorServable::CorrectorServable(const CorrectorConfig& config,
                                     std::unique_ptr<const BartModel> model,
                                     std::unique_ptr<const Bpe> tokenizer)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      limits_(Limits(model_->config(), config.max_requests)),
      least_alternative_(config.least_alternative),
      threads_per_instance_(config.threads_per_instance),
      cores_(config.cores),
      batcher_(std::make_unique<ContinuousBatcher>(
          ContinuousBatcherConfig{
              NumInstances(config.num_instances, config.threads_per_instance),
              config.max_requests, config.max_waiting},
          SteppedEngine{[this](int number, SteppedItem& item) {
                          return Add(number, static_cast<Task&>(item));
                        },
                        [this](int number) { return Step(number); },
                        [this](int number, SteppedItem& item) {
                          Remove(number, static_cast<Task&>(item));
                        }})) {
  SetInstances(MakeInstances(batcher_->num_instances()));
}

CorrectorServable::Instances CorrectorServable::MakeInstances(int count) const {
  Instances instances;
  {
    const MutexLock lock(&mutex_);
    instances = instances_;
  }
  const auto team = [&](size_t i) {
    return InstanceTeam(static_cast<int>(i), count, threads_per_instance_,
                        cores_);
  };
  if (!instances.empty() && instances[0]->team_size != TeamSize(team(0))) {
    instances.clear();
  }
  const auto wanted = static_cast<size_t>(count);
  instances.resize(std::min(instances.size(), wanted));
  while (instances.size() < wanted) {
    instances.push_back(
        std::make_shared<Instance>(*model_, limits_, team(instances.size())));
  }
  return instances;
}

void CorrectorServable::SetInstances(Instances instances) {
  const MutexLock lock(&mutex_);
  instances_.swap(instances);
  used_.resize(instances_.size());
}

absl::Status CorrectorServable::Resize(int num_instances) {
  if (num_instances < 0) {
    return absl::InvalidArgumentError("the number of instances is negative");
  }
  const MutexLock resizing(&resizing_);
  const int wanted = NumInstances(num_instances, threads_per_instance_);
  Instances instances = MakeInstances(wanted);
  if (wanted < batcher_->num_instances()) batcher_->Resize(wanted);
  SetInstances(std::move(instances));
  batcher_->Resize(wanted);
  return absl::OkStatus();
}

std::shared_ptr<CorrectorServable::Instance> CorrectorServable::Use(
    int number) {
  const MutexLock lock(&mutex_);
  std::shared_ptr<Instance>& used = used_[static_cast<size_t>(number)];
  if (used == nullptr) used = instances_[static_cast<size_t>(number)];
  return used;
}

void CorrectorServable::LeaveIfIdle(int number, const Instance& instance) {
  if (!instance.generator.idle()) return;
  const MutexLock lock(&mutex_);
  used_[static_cast<size_t>(number)].reset();
}

absl::Status CorrectorServable::Add(int number, Task& task) {
  const std::shared_ptr<Instance> instance = Use(number);
  std::vector<Task*>& tasks = instance->tasks;
  const auto place = std::find(tasks.begin(), tasks.end(), nullptr);
  QUAVER_CHECK(place != tasks.end());
  task.request.id = static_cast<uint64_t>(place - tasks.begin());
  const absl::Status added = instance->generator.Add(std::move(task.request));
  if (added.ok()) *place = &task;
  LeaveIfIdle(number, *instance);
  return added;
}

std::vector<SteppedItem*> CorrectorServable::Step(int number) {
  const std::shared_ptr<Instance> instance = Use(number);
  const CoreLease lease;  // for all passes of the step
  std::optional<ScopedPin> pin;
  if (instance->core) pin.emplace(*instance->core);
  std::vector<Generated> done;
  instance->generator.Step(&done);
  std::vector<SteppedItem*> tasks;
  for (Generated& found : done) {
    Task* task = std::exchange(instance->tasks[found.id], nullptr);
    task->found = std::move(found);
    tasks.push_back(task);
  }
  LeaveIfIdle(number, *instance);
  return tasks;
}

void CorrectorServable::Remove(int number, const Task& task) {
  const std::shared_ptr<Instance> instance = Use(number);
  QUAVER_CHECK(instance->generator.Cancel(task.request.id));
  instance->tasks[task.request.id] = nullptr;
  LeaveIfIdle(number, *instance);
}

std::vector<TensorSpec> CorrectorServable::inputs() const {
  return {{kText, Datatype::kBytes, {1}},
          {kDrafts, Datatype::kBytes, {-1}, /*optional=*/true},
          {kNBest, Datatype::kInt32, {1}, /*optional=*/true}};
}

std::vector<TensorSpec> CorrectorServable::outputs() const {
  return {{"CORRECTED", Datatype::kBytes, {-1}},
          {"SCORE", Datatype::kFp32, {-1}},
          {"DRAFT_SCORE", Datatype::kFp32, {-1}},
          {"PASSES", Datatype::kInt32, {1}}};
}

absl::StatusOr<CorrectorServable::Query> CorrectorServable::Read(
    const Tensors& request) {
  Query query;
  std::vector<std::string> seen;
  for (const Tensor& tensor : request) {
    if (std::find(seen.begin(), seen.end(), tensor.name) != seen.end()) {
      return absl::InvalidArgumentError(
          fmt::format("input {} is there twice", tensor.name));
    }
    seen.push_back(tensor.name);
    if (tensor.name == kNBest) {
      ASSIGN_OR_RETURN(query.n_best, ReadNumber(tensor, kMaxBest));
    } else if (tensor.name == kDrafts) {
      RETURN_IF_ERROR(CheckTexts(tensor));
      query.drafts = tensor.strings;
    } else if (tensor.name == kText) {
      RETURN_IF_ERROR(CheckTexts(tensor));
      if (tensor.strings.size() != 1) {
        return absl::InvalidArgumentError(fmt::format(
            "input {} has {} texts; expected 1", kText, tensor.strings.size()));
      }
      query.text = tensor.strings[0];
    } else {
      return absl::InvalidArgumentError(
          fmt::format("input {} is none of {}, {}, {}", tensor.name, kText,
                      kDrafts, kNBest));
    }
  }
  if (std::find(seen.begin(), seen.end(), kText) == seen.end()) {
    return absl::InvalidArgumentError(
        fmt::format("there is no input {}", kText));
  }
  return query;
}

std::vector<int32_t> CorrectorServable::Tokenize(
    const std::string& text) const {
  if (text.size() > kMaxBytes) return {};
  const int most = limits_.max_source_tokens;
  auto ids = tokenizer_->Encode(text, most + 1);
  if (ids.size() > static_cast<size_t>(most)) ids.clear();
  return ids;
}

std::string CorrectorServable::AnswerText(
    const std::vector<int32_t>& tokens) const {
  std::u32string text = ToCodePoints(tokenizer_->Decode(tokens));
  for (char32_t& c : text) {
    if (c == U'\u2028' || c == U'\u2029') c = U' ';  // they end lines as well
  }
  return CleanUtf8(ToUtf8(text));
}

Tensors CorrectorServable::Write(const Query& query,
                                 const Generated& found) const {
  std::vector<std::string> answers;
  std::vector<float> scores;
  const auto add = [&](const std::vector<int32_t>& tokens, double score) {
    std::string text = AnswerText(tokens);
    // Other tokens may be the same text.
    if (std::find(answers.begin(), answers.end(), text) != answers.end() ||
        (text.empty() && !answers.empty())) {
      return;
    }
    answers.push_back(std::move(text));
    scores.push_back(static_cast<float>(score));
  };
  if (!found.tokens.empty()) add(found.tokens, found.score);
  for (const Alternative& one : found.alternatives) add(one.tokens, one.score);
  std::vector<float> draft_scores(found.scored.begin(), found.scored.end());
  draft_scores.resize(query.drafts.size(), static_cast<float>(kImpossible));
  const std::vector<int32_t> passes = {found.passes + found.alternative_passes};
  const auto num_answers = static_cast<int64_t>(answers.size());
  return {
      {"CORRECTED", Datatype::kBytes, {num_answers}, std::move(answers), {}},
      MakeTensor("SCORE", Datatype::kFp32, scores),
      MakeTensor("DRAFT_SCORE", Datatype::kFp32, draft_scores),
      MakeTensor("PASSES", Datatype::kInt32, passes)};
}

absl::StatusOr<Tensors> CorrectorServable::Infer(const Tensors& request,
                                                 const CallOptions& options,
                                                 CallTimes* times) {
  ASSIGN_OR_RETURN(const Query query, Read(request));
  Task task;
  GenerationRequest& wanted = task.request;
  wanted.source = Tokenize(query.text);
  const BpeSpec& spec = tokenizer_->spec();
  if (wanted.source.size() <= spec.before.size() + spec.after.size()) {
    return Write(query, {});
  }
  wanted.drafts = {wanted.source};
  wanted.alternatives = query.n_best - 1;
  wanted.least_alternative = least_alternative_;
  std::vector<bool> scored(std::min(query.drafts.size(), kMaxScored));
  for (size_t i = 0; i < scored.size(); ++i) {
    std::vector<int32_t> ids = Tokenize(query.drafts[i]);
    scored[i] = !ids.empty();
    if (scored[i]) wanted.scored.push_back(std::move(ids));
  }
  task.options = options;
  RETURN_IF_ERROR(batcher_->Run(task));
  if (times != nullptr) {
    times->queue_us += task.times.queue_us;
    times->compute_us += task.times.compute_us;
  }
  std::vector<double>& scores = task.found.scored;
  for (size_t i = 0; i < scored.size(); ++i) {  // those that were too long
    if (!scored[i]) {
      scores.insert(scores.begin() + static_cast<std::ptrdiff_t>(i),
                    kImpossible);
    }
  }
  return Write(query, task.found);
}

}  // namespace quaver
