// See generation.h.
#include "quaver/engine/generation.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/engine/internal/active_request.h"
#include "quaver/engine/internal/draft_tree.h"
#include "quaver/engine/internal/target_pass.h"
#include "quaver/engine/internal/token_rules.h"

namespace quaver {
namespace {

// Scored texts are there in the first pass only, alternatives later only.
size_t SlotsOfARequest(const GeneratorLimits& limits) {
  const int later =
      std::max(limits.max_scored_tokens,
               limits.max_alternatives * limits.max_target_tokens);
  return static_cast<size_t>(limits.max_target_tokens +
                             limits.max_draft_tokens + later);
}

BartCache::Size CacheSize(const GeneratorLimits& limits) {
  const auto requests = static_cast<size_t>(limits.max_requests);
  return {requests * static_cast<size_t>(limits.max_source_tokens),
          requests * SlotsOfARequest(limits)};
}

size_t WorkspaceRows(const GeneratorLimits& limits) {
  return static_cast<size_t>(
      std::max(limits.max_rows, limits.max_source_tokens));
}

}  // namespace

struct Generator::Impl {
  Impl(const BartModel& model_, const GeneratorLimits& limits_,
       const TeamConfig& team);

  // Encodes together the sources of those that are new and have rows, which
  // it takes from `left`.
  void Start(size_t* left);
  void EncodeSources();
  void Guess(const ActiveRequest& one, size_t max_nodes, TargetPath* path);
  // Puts what moves into the pass, with drafts.
  void Join(ActiveRequest* one, size_t* left);
  double Score(const ActiveRequest& one, std::span<const int32_t> text) const;
  // Takes up what the pass showed.
  void Learn(ActiveRequest* one);

  const BartModel& model;
  const GeneratorLimits limits;
  BartCache cache;
  BartWorkspace workspace;
  TargetPass pass;
  std::vector<ActiveRequest> requests;  // [max_requests]
  std::vector<ActiveRequest*> active;   // in the order of their coming
  std::vector<ActiveRequest*> free;
  DraftScratch draft_scratch;
  // Start's.
  std::vector<int32_t> source_ids;
  std::vector<uint32_t> source_offsets, source_firsts;
};

Generator::Impl::Impl(const BartModel& model_, const GeneratorLimits& limits_,
                      const TeamConfig& team)
    : model(model_),
      limits(limits_),
      cache(model, CacheSize(limits)),
      workspace(model, WorkspaceRows(limits), team),
      pass(model, static_cast<size_t>(limits.max_rows),
           static_cast<size_t>(limits.max_target_tokens)),
      requests(static_cast<size_t>(limits.max_requests)) {
  QUAVER_CHECK(limits.max_requests > 0 && limits.max_draft_tokens >= 0);
  QUAVER_CHECK(limits.max_scored_tokens >= 0 && limits.max_alternatives >= 0);
  QUAVER_CHECK(limits.max_rows >=
               limits.max_requests + limits.max_scored_tokens);
  const int positions = model.config().max_positions;
  QUAVER_CHECK(limits.max_source_tokens > 0 &&
               limits.max_source_tokens <= positions);
  QUAVER_CHECK(limits.max_target_tokens > 1 &&
               limits.max_target_tokens <= positions);
  active.reserve(requests.size());
  free.reserve(requests.size());
  for (size_t i = requests.size(); i-- > 0;) {
    requests[i].Reserve(model.config(), limits, i, SlotsOfARequest(limits));
    free.push_back(&requests[i]);
  }
  source_ids.reserve(workspace.max_rows());
  source_offsets.reserve(requests.size() + 1);
  source_offsets.push_back(0);
  source_firsts.reserve(requests.size());
  draft_scratch.edits.reserve(static_cast<size_t>(limits.max_target_tokens) +
                              1);
  draft_scratch.places.reserve(static_cast<size_t>(limits.max_target_tokens) +
                               1);
}

void Generator::Impl::EncodeSources() {
  if (!source_firsts.empty()) {
    model.Encode({source_ids, source_offsets}, source_firsts, workspace, cache);
  }
  source_ids.clear();
  source_offsets.assign(1, 0);
  source_firsts.clear();
}

void Generator::Impl::Start(size_t* left) {
  for (ActiveRequest* one : active) {
    if (one->started || one->num_scored_nodes > *left) continue;
    *left -= one->num_scored_nodes;
    one->started = true;
    const auto& source = one->request.source;
    if (source_ids.size() + source.size() > workspace.max_rows()) {
      EncodeSources();
    }
    source_ids.insert(source_ids.end(), source.begin(), source.end());
    source_offsets.push_back(static_cast<uint32_t>(source_ids.size()));
    source_firsts.push_back(one->source_first);
  }
  EncodeSources();
}

void Generator::Impl::Guess(const ActiveRequest& one, size_t max_nodes,
                            TargetPath* path) {
  if (one.passes > 0) path->tree.clear();
  // Tokens that may still be confirmed, less the one that every pass gives.
  const int room = one.request.options.max_new_tokens -
                   static_cast<int>(path->tokens.size());
  if (room <= 0 || max_nodes == 0) return;
  const size_t nodes = path->tree.size() + max_nodes;
  AddDrafts(std::span(path->tokens).subspan(1), one.drafts, nodes,
            static_cast<size_t>(room), &draft_scratch, &path->tree);
}

void Generator::Impl::Join(ActiveRequest* one, size_t* left) {
  size_t nodes = std::min(*left, static_cast<size_t>(limits.max_draft_tokens));
  *left -= nodes;
  const auto source_end =
      one->source_first + static_cast<uint32_t>(one->request.source.size());
  const PathSource source{one->source_first, source_end, &one->request.options,
                          &one->free};
  // Scored texts are in the first tree of the answer.
  std::optional<size_t> num_scored;
  if (one->passes == 0 && !one->request.scored.empty()) {
    num_scored = one->num_scored_nodes;
  }
  for (size_t i = 0; i < one->moving.size(); ++i) {
    TargetPath* path = one->moving[i];
    const size_t known = one->passes > 0 ? 0 : path->tree.size();
    Guess(*one, nodes / (one->moving.size() - i), path);
    nodes -= path->tree.size() - known;
    pass.Add(source, num_scored, path);
  }
  *left += nodes;
}

double Generator::Impl::Score(const ActiveRequest& one,
                              std::span<const int32_t> text) const {
  const auto tree = std::span(one.answer.tree).first(one.num_scored_nodes);
  double score = 0;
  int32_t at = -1;
  size_t num_tokens = 1;
  const auto add = [&](int32_t token) {
    score +=
        pass.LogProbability(one.answer.first_row + static_cast<size_t>(at + 1),
                            one.request.options, num_tokens++, token);
  };
  for (const int32_t token : text) {
    const auto child = FindChild(tree, at, token);
    if (!child) return -std::numeric_limits<double>::infinity();
    add(token);
    at = *child;
  }
  add(model.config().eos_id);
  return score;
}

void Generator::Impl::Learn(ActiveRequest* one) {
  const bool answering = !one->answer.whole;
  ++(answering ? one->passes : one->alternative_passes);
  if (answering && one->passes == 1) {
    for (const std::vector<int32_t>& text : one->request.scored) {
      one->scored.push_back(Score(*one, text));
    }
    one->DropDrafts();
  }
  for (TargetPath* path : one->moving) one->Advance(pass, path);
  if (answering && one->answer.whole) one->Fork(pass);
}

Generator::Generator(const BartModel& model, const GeneratorLimits& limits,
                     const TeamConfig& team)
    : impl_(std::make_unique<Impl>(model, limits, team)) {}
Generator::~Generator() = default;

size_t Generator::bytes() const {
  return impl_->cache.bytes() + impl_->workspace.bytes();
}

size_t Generator::Bytes(const BartConfig& config, const Kernels& kernels,
                        const GeneratorLimits& limits, const TeamConfig& team) {
  return BartCache::Bytes(config, CacheSize(limits)) +
         BartWorkspace::Bytes(config, kernels, WorkspaceRows(limits), team);
}

absl::Status Generator::Add(GenerationRequest request) {
  Impl& impl = *impl_;
  const BartConfig& config = impl.model.config();
  const GeneratorLimits& limits = impl.limits;
  RETURN_IF_ERROR(CheckTokens("the source", request.source,
                              static_cast<size_t>(limits.max_source_tokens),
                              config.vocab_size));
  ASSIGN_OR_RETURN(request.options,
                   CheckOptions(request.options, limits.max_target_tokens));
  if (request.alternatives < 0 ||
      request.alternatives > limits.max_alternatives) {
    return absl::InvalidArgumentError(
        fmt::format("{} alternatives; there may be 0 to {}",
                    request.alternatives, limits.max_alternatives));
  }
  for (auto* texts : {&request.drafts, &request.scored}) {
    for (std::vector<int32_t>& text : *texts) {
      RETURN_IF_ERROR(CheckTokens(
          texts == &request.drafts ? "a draft" : "a scored text", text,
          std::numeric_limits<int32_t>::max(), config.vocab_size));
      MakeAnswer(config, &text);
    }
  }
  if (impl.free.empty()) {
    return absl::ResourceExhaustedError(
        fmt::format("{} requests are being answered", limits.max_requests));
  }
  ActiveRequest* one = impl.free.back();
  impl.free.pop_back();
  one->Begin(std::move(request), limits.max_scored_tokens);
  impl.active.push_back(one);
  return absl::OkStatus();
}

bool Generator::Cancel(uint64_t id) {
  std::vector<ActiveRequest*>& active = impl_->active;
  const auto found = std::find_if(
      active.begin(), active.end(),
      [&](const ActiveRequest* one) { return one->request.id == id; });
  if (found == active.end()) return false;
  (*found)->Forget();
  impl_->free.push_back(*found);
  active.erase(found);
  return true;
}

void Generator::Step(std::vector<Generated>* done) {
  Impl& impl = *impl_;
  std::vector<ActiveRequest*>& active = impl.active;
  if (active.empty()) return;
  // Every request has a row, then scored texts and alternatives have theirs;
  // what is left goes to the drafts of those that came first.
  size_t left = static_cast<size_t>(impl.limits.max_rows) - active.size();
  impl.Start(&left);
  for (ActiveRequest* one : active) one->Choose(&left);
  impl.pass.Clear();
  for (ActiveRequest* one : active) {
    if (one->started) impl.Join(one, &left);
  }
  impl.pass.Run(impl.workspace, impl.cache);
  size_t num_left = 0;
  for (ActiveRequest* one : active) {
    if (one->started) impl.Learn(one);
    if (!one->Done()) {
      active[num_left++] = one;
      continue;
    }
    done->push_back(one->Finish());
    impl.free.push_back(one);
  }
  active.resize(num_left);
}

bool Generator::idle() const { return impl_->active.empty(); }

}  // namespace quaver
