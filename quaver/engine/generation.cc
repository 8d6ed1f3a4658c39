// See generation.h.
#include "quaver/engine/generation.h"

#include <algorithm>
#include <limits>
#include <list>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/engine/internal/active_request.h"
#include "quaver/engine/internal/draft_tree.h"
#include "quaver/engine/internal/target_pass.h"
#include "quaver/engine/internal/token_rules.h"

namespace quaver {

struct Generator::Impl {
  Impl(const BartModel& model_, const GeneratorLimits& limits_);

  size_t SlotsOfARequest() const;
  // Encodes together the sources of those that are new and have rows, which
  // it takes from `left`.
  void Start(size_t* left);
  void Guess(const ActiveRequest& one, size_t max_nodes,
             TargetPath* path) const;
  // Puts what moves into the pass, with drafts.
  void Join(ActiveRequest* one, size_t* left);
  double Score(const ActiveRequest& one, std::span<const int32_t> text);
  // Takes up what the pass showed.
  void Learn(ActiveRequest* one);

  const BartModel& model;
  const GeneratorLimits limits;
  BartCache cache;
  BartWorkspace workspace;
  TargetPass pass;
  std::list<ActiveRequest> active;
  std::vector<size_t> free_places;
  // Start's.
  std::vector<int32_t> source_ids;
  std::vector<uint32_t> source_offsets{0}, source_firsts;
};

Generator::Impl::Impl(const BartModel& model_, const GeneratorLimits& limits_)
    : model(model_),
      limits(limits_),
      cache(model,
            {static_cast<size_t>(limits.max_requests) *
                 static_cast<size_t>(limits.max_source_tokens),
             static_cast<size_t>(limits.max_requests) * SlotsOfARequest()}),
      workspace(model, static_cast<size_t>(std::max(limits.max_rows,
                                                    limits.max_source_tokens))),
      pass(model, static_cast<size_t>(limits.max_rows)) {
  QUAVER_CHECK(limits.max_requests > 0 && limits.max_draft_tokens >= 0);
  QUAVER_CHECK(limits.max_scored_tokens >= 0 && limits.max_alternatives >= 0);
  QUAVER_CHECK(limits.max_rows >=
               limits.max_requests + limits.max_scored_tokens);
  const int positions = model.config().max_positions;
  QUAVER_CHECK(limits.max_source_tokens > 0 &&
               limits.max_source_tokens <= positions);
  QUAVER_CHECK(limits.max_target_tokens > 1 &&
               limits.max_target_tokens <= positions);
  for (size_t i = static_cast<size_t>(limits.max_requests); i-- > 0;) {
    free_places.push_back(i);
  }
}

// Scored texts are there in the first pass only, alternatives later only.
size_t Generator::Impl::SlotsOfARequest() const {
  const int later =
      std::max(limits.max_scored_tokens,
               limits.max_alternatives * limits.max_target_tokens);
  return static_cast<size_t>(limits.max_target_tokens +
                             limits.max_draft_tokens + later);
}

void Generator::Impl::Start(size_t* left) {
  const auto encode = [&] {
    if (!source_firsts.empty()) {
      model.Encode({source_ids, source_offsets}, source_firsts, workspace,
                   cache);
    }
    source_ids.clear();
    source_offsets.assign(1, 0);
    source_firsts.clear();
  };
  for (ActiveRequest& one : active) {
    if (one.started || one.num_scored_nodes > *left) continue;
    *left -= one.num_scored_nodes;
    one.started = true;
    const auto& source = one.request.source;
    if (source_ids.size() + source.size() > workspace.max_rows()) encode();
    source_ids.insert(source_ids.end(), source.begin(), source.end());
    source_offsets.push_back(static_cast<uint32_t>(source_ids.size()));
    source_firsts.push_back(one.source_first);
  }
  encode();
}

void Generator::Impl::Guess(const ActiveRequest& one, size_t max_nodes,
                            TargetPath* path) const {
  if (one.passes > 0) path->tree.clear();
  // Tokens that may still be confirmed, less the one that every pass gives.
  const int room = one.request.options.max_new_tokens -
                   static_cast<int>(path->tokens.size());
  if (room <= 0 || max_nodes == 0) return;
  const size_t nodes = path->tree.size() + max_nodes;
  path->tree =
      MakeDraftTree(std::span(path->tokens).subspan(1), one.request.drafts,
                    nodes, static_cast<size_t>(room), std::move(path->tree));
}

void Generator::Impl::Join(ActiveRequest* one, size_t* left) {
  size_t nodes = std::min(*left, static_cast<size_t>(limits.max_draft_tokens));
  *left -= nodes;
  for (size_t i = 0; i < one->moving.size(); ++i) {
    TargetPath* path = one->moving[i];
    const size_t known = one->passes > 0 ? 0 : path->tree.size();
    Guess(*one, nodes / (one->moving.size() - i), path);
    nodes -= path->tree.size() - known;
    pass.Add(
        one->source_first,
        one->source_first + static_cast<uint32_t>(one->request.source.size()),
        &one->free, path);
  }
  *left += nodes;
}

double Generator::Impl::Score(const ActiveRequest& one,
                              std::span<const int32_t> text) {
  const BartConfig& config = model.config();
  const auto tree = std::span(one.answer.tree).first(one.num_scored_nodes);
  std::vector<int32_t> tokens = {config.decoder_start_id};
  double score = 0;
  int32_t at = -1;
  const auto add = [&](int32_t token) {
    score +=
        pass.LogProbability(one.answer.first_row + static_cast<size_t>(at + 1),
                            one.request.options, tokens, token);
    tokens.push_back(token);
  };
  for (const int32_t token : text) {
    const auto child = FindChild(tree, at, token);
    if (!child) return -std::numeric_limits<double>::infinity();
    add(token);
    at = *child;
  }
  add(config.eos_id);
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
  if (answering && one->answer.whole) one->Fork();
}

Generator::Generator(const BartModel& model, const GeneratorLimits& limits)
    : impl_(std::make_unique<Impl>(model, limits)) {}
Generator::~Generator() = default;

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
      text = AsAnswer(config, std::move(text));
    }
  }
  if (impl.free_places.empty()) {
    return absl::ResourceExhaustedError(
        fmt::format("{} requests are being answered", limits.max_requests));
  }
  ActiveRequest one;
  one.config = &config;
  one.place = impl.free_places.back();
  impl.free_places.pop_back();
  one.source_first = static_cast<uint32_t>(
      one.place * static_cast<size_t>(limits.max_source_tokens));
  const size_t num_slots = impl.SlotsOfARequest();
  for (size_t i = num_slots; i-- > 0;) {
    one.free.push_back(static_cast<uint32_t>(one.place * num_slots + i));
  }
  one.answer.tokens = {config.decoder_start_id};
  one.request = std::move(request);
  one.PlanScored(limits.max_scored_tokens);
  one.request.drafts.insert(one.request.drafts.end(),
                            one.request.scored.begin(),
                            one.request.scored.end());
  impl.active.push_back(std::move(one));
  return absl::OkStatus();
}

bool Generator::Cancel(uint64_t id) {
  const auto found = std::find_if(
      impl_->active.begin(), impl_->active.end(),
      [&](const ActiveRequest& one) { return one.request.id == id; });
  if (found == impl_->active.end()) return false;
  impl_->free_places.push_back(found->place);
  impl_->active.erase(found);
  return true;
}

void Generator::Step(std::vector<Generated>* done) {
  Impl& impl = *impl_;
  if (impl.active.empty()) return;
  // Every request has a row, then scored texts and alternatives have theirs;
  // what is left goes to the drafts of those that came first.
  size_t left = static_cast<size_t>(impl.limits.max_rows) - impl.active.size();
  impl.Start(&left);
  for (ActiveRequest& one : impl.active) one.Choose(&left);
  impl.pass.Clear();
  for (ActiveRequest& one : impl.active) {
    if (one.started) impl.Join(&one, &left);
  }
  impl.pass.Run(impl.workspace, impl.cache);
  for (auto one = impl.active.begin(); one != impl.active.end();) {
    if (one->started) impl.Learn(&*one);
    if (!one->Done()) {
      ++one;
      continue;
    }
    done->push_back(one->Finish());
    impl.free_places.push_back(one->place);
    one = impl.active.erase(one);
  }
}

bool Generator::idle() const { return impl_->active.empty(); }
size_t Generator::num_active() const { return impl_->active.size(); }

}  // namespace quaver
