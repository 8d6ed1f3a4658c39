// See active_request.h.
#include "quaver/engine/internal/active_request.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "quaver/engine/internal/draft_tree.h"

namespace quaver {
namespace {

// More take memory when they come.
constexpr size_t kUsualDrafts = 8;

}  // namespace

// Without a forced <s> an answer begins with the text.
void MakeAnswer(const BartConfig& config, std::vector<int32_t>* text) {
  if (!config.forced_bos_id && text->front() == config.bos_id) {
    text->erase(text->begin());
  }
  if (!text->empty() && text->back() == config.eos_id) text->pop_back();
}

void ActiveRequest::Reserve(const BartConfig& bart,
                            const GeneratorLimits& limits, size_t number,
                            size_t slots_of_a_request) {
  config = &bart;
  num_slots = slots_of_a_request;
  source_first = static_cast<uint32_t>(
      number * static_cast<size_t>(limits.max_source_tokens));
  slots_first = static_cast<uint32_t>(number * num_slots);
  const auto tokens = static_cast<size_t>(limits.max_target_tokens);
  const auto nodes =
      static_cast<size_t>(limits.max_draft_tokens + limits.max_scored_tokens);
  const auto others = static_cast<size_t>(limits.max_alternatives);
  drafts.reserve(kUsualDrafts);
  free.reserve(num_slots);
  answer.Reserve(tokens, nodes);
  kept.reserve(nodes + 1);
  branches.reserve(others + 1);
  alternatives.resize(others);
  for (TargetPath& path : alternatives) path.Reserve(tokens, nodes);
  moving.reserve(others + 1);
}

void ActiveRequest::Begin(GenerationRequest wanted, int max_scored_tokens) {
  request = std::move(wanted);
  started = false;
  free.clear();
  for (size_t i = num_slots; i-- > 0;) {
    free.push_back(slots_first + static_cast<uint32_t>(i));
  }
  answer.Clear();
  answer.tokens.push_back(config->decoder_start_id);
  branches.clear();
  num_alternatives = 0;
  turn = 0;
  passes = alternative_passes = 0;
  drafts.assign(request.drafts.begin(), request.drafts.end());
  drafts.insert(drafts.end(), request.scored.begin(), request.scored.end());
  scored.reserve(request.scored.size());
  PlanScored(max_scored_tokens);
}

void ActiveRequest::PlanScored(int max_tokens) {
  const auto room = static_cast<size_t>(request.options.max_new_tokens);
  for (const std::vector<int32_t>& text : request.scored) {
    const bool ends_early =
        std::find(text.begin(), text.end(), config->eos_id) != text.end();
    if (text.size() >= room || ends_early) continue;
    AddPath(text, static_cast<size_t>(max_tokens), &answer.tree);
  }
  num_scored_nodes = answer.tree.size();
}

void ActiveRequest::Choose(size_t* left) {
  moving.clear();
  if (!answer.whole) moving.push_back(&answer);
  for (size_t i = 0; i < num_alternatives; ++i) {
    const size_t number = (turn + i) % num_alternatives;
    if (alternatives[number].whole) continue;
    if (moving.size() > *left) {
      turn = number;
      break;
    }
    moving.push_back(&alternatives[number]);
  }
  *left -= moving.size() - 1;
}

void ActiveRequest::DropDrafts() {
  if (scored.empty()) return;
  drafts.resize(request.drafts.size());
  const auto likeliest = std::max_element(scored.begin(), scored.end());
  drafts.push_back(
      request.scored[static_cast<size_t>(likeliest - scored.begin())]);
}

bool ActiveRequest::Whole(const TargetPath& path) const {
  return path.tokens.back() == config->eos_id ||
         static_cast<int>(path.tokens.size()) > request.options.max_new_tokens;
}

bool ActiveRequest::Done() const {
  return answer.whole &&
         (alternative_passes == request.options.max_new_tokens ||
          std::all_of(followed().begin(), followed().end(),
                      [](const TargetPath& path) { return path.whole; }));
}

void ActiveRequest::Advance(const TargetPass& pass, TargetPath* path) {
  const bool may_fork = path == &answer && request.alternatives > 0;
  kept.assign(path->tree_slots.size(), false);
  for (std::optional<int32_t> at = -1; at;) {  // a node, or the last token
    const auto row = static_cast<size_t>(*at + 1);
    kept[row] = true;
    path->slots.push_back(path->tree_slots[row]);
    const NextTokens next =
        pass.Next(path->first_row + row, request.options, path->tokens.size());
    for (size_t i = 1; may_fork && i < next.count; ++i) {
      const double score = path->score + next.scores[i];
      if (!(score > request.least_alternative)) continue;
      AddBranch({path->tokens.size(), next.tokens[i], score, passes, *at});
    }
    path->tokens.push_back(next.tokens[0]);
    path->score += next.scores[0];
    path->whole = Whole(*path);
    if (path->whole) break;
    at = FindChild(path->tree, *at, next.tokens[0]);
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    if (!kept[i]) free.push_back(path->tree_slots[i]);
  }
}

// Behind what is as likely.
void ActiveRequest::AddBranch(const Branch& branch) {
  const auto place = std::upper_bound(
      branches.begin(), branches.end(), branch,
      [](const Branch& a, const Branch& b) { return a.score > b.score; });
  branches.insert(place, branch);
  if (branches.size() > static_cast<size_t>(request.alternatives)) {
    branches.pop_back();
  }
}

// Alternatives share the slots of what the answer and they begin with.
void ActiveRequest::Fork(const TargetPass& pass) {
  for (const Branch& branch : branches) {
    TargetPath& path = alternatives[num_alternatives++];
    path.Clear();
    const auto at = static_cast<std::ptrdiff_t>(branch.at);
    path.tokens.assign(answer.tokens.begin(), answer.tokens.begin() + at);
    path.tokens.push_back(branch.token);
    path.slots.assign(answer.slots.begin(), answer.slots.begin() + at);
    path.score = branch.score;
    path.whole = Whole(path) || (branch.pass == passes &&
                                 FollowTree(pass, branch.node, &path));
  }
  // The answer is all the draft they need.
  const bool ended = answer.tokens.back() == config->eos_id;
  drafts.assign(1, std::span(answer.tokens)
                       .subspan(1, answer.tokens.size() - (ended ? 2 : 1)));
}

bool ActiveRequest::FollowTree(const TargetPass& pass, int32_t node,
                               TargetPath* path) const {
  const size_t num_tokens = path->tokens.size();
  const double score = path->score;
  while (const auto child = FindChild(answer.tree, node, path->tokens.back())) {
    node = *child;
    const NextTokens next =
        pass.Next(answer.first_row + static_cast<size_t>(node + 1),
                  request.options, path->tokens.size());
    path->tokens.push_back(next.tokens[0]);
    path->score += next.scores[0];
    if (Whole(*path)) return true;
  }
  path->tokens.resize(num_tokens);
  path->score = score;
  return false;
}

Generated ActiveRequest::Finish() {
  Generated done = {
      request.id, answer.tokens,     answer.score, passes, std::move(scored),
      {},         alternative_passes};
  if (num_alternatives > 0) done.alternatives.reserve(num_alternatives);
  for (const TargetPath& path : followed()) {
    if (!path.whole) continue;
    const auto place = std::upper_bound(
        done.alternatives.begin(), done.alternatives.end(), path.score,
        [](double score, const Alternative& one) { return score > one.score; });
    done.alternatives.insert(place, {path.tokens, path.score});
  }
  Forget();
  return done;
}

void ActiveRequest::Forget() {
  scored.clear();
  request = {};
}

}  // namespace quaver
