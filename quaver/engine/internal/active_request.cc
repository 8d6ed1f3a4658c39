// See active_request.h.
#include "quaver/engine/internal/active_request.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "quaver/engine/internal/draft_tree.h"

namespace quaver {
namespace {

// An alternative less likely than this when it leaves the answer is not
// followed.
constexpr double kLeastBranchScore = -4;

}  // namespace

// Without a forced <s> an answer begins with the text.
std::vector<int32_t> AsAnswer(const BartConfig& config,
                              std::vector<int32_t> text) {
  if (!config.forced_bos_id && text.front() == config.bos_id) {
    text.erase(text.begin());
  }
  if (!text.empty() && text.back() == config.eos_id) text.pop_back();
  return text;
}

void ActiveRequest::PlanScored(int max_tokens) {
  std::vector<std::vector<int32_t>> possible;
  const auto room = static_cast<size_t>(request.options.max_new_tokens);
  for (const std::vector<int32_t>& text : request.scored) {
    const bool ends_early =
        std::find(text.begin(), text.end(), config->eos_id) != text.end();
    if (text.size() < room && !ends_early) possible.push_back(text);
  }
  answer.tree = MakeTree(possible, static_cast<size_t>(max_tokens));
  num_scored_nodes = answer.tree.size();
}

void ActiveRequest::Choose(size_t* left) {
  moving.clear();
  if (!answer.whole) moving.push_back(&answer);
  const size_t num_alternatives = alternatives.size();
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
  request.drafts.resize(request.drafts.size() - scored.size());
  const auto likeliest = std::max_element(scored.begin(), scored.end());
  request.drafts.push_back(
      request.scored[static_cast<size_t>(likeliest - scored.begin())]);
}

bool ActiveRequest::Whole(const TargetPath& path) const {
  return path.tokens.back() == config->eos_id ||
         static_cast<int>(path.tokens.size()) > request.options.max_new_tokens;
}

bool ActiveRequest::Done() const {
  return answer.whole &&
         (alternative_passes == request.options.max_new_tokens ||
          std::all_of(alternatives.begin(), alternatives.end(),
                      [](const TargetPath& path) { return path.whole; }));
}

void ActiveRequest::Advance(TargetPass& pass, TargetPath* path) {
  const bool may_fork = path == &answer && request.alternatives > 0;
  std::vector<bool> kept(path->tree_slots.size());
  for (std::optional<int32_t> at = -1; at;) {  // a node, or the last token
    const auto row = static_cast<size_t>(*at + 1);
    kept[row] = true;
    path->slots.push_back(path->tree_slots[row]);
    const NextTokens next =
        pass.Next(path->first_row + row, request.options, path->tokens);
    for (size_t i = 1; may_fork && i < next.count; ++i) {
      const double score = path->score + next.scores[i];
      if (!(score > kLeastBranchScore)) continue;
      branches.push_back({path->tokens.size(), next.tokens[i], score});
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

// Alternatives share the slots of what the answer and they begin with.
void ActiveRequest::Fork() {
  std::stable_sort(
      branches.begin(), branches.end(),
      [](const Branch& a, const Branch& b) { return a.score > b.score; });
  if (branches.size() > static_cast<size_t>(request.alternatives)) {
    branches.resize(static_cast<size_t>(request.alternatives));
  }
  for (const Branch& branch : branches) {
    TargetPath path;
    const auto at = static_cast<std::ptrdiff_t>(branch.at);
    path.tokens.assign(answer.tokens.begin(), answer.tokens.begin() + at);
    path.tokens.push_back(branch.token);
    path.slots.assign(answer.slots.begin(), answer.slots.begin() + at);
    path.score = branch.score;
    path.whole = Whole(path);
    alternatives.push_back(std::move(path));
  }
  // The answer is all the draft they need.
  request.drafts = {{answer.tokens.begin() + 1, answer.tokens.end()}};
  if (answer.tokens.back() == config->eos_id) request.drafts[0].pop_back();
}

Generated ActiveRequest::Finish() {
  Generated done = {request.id,        std::move(answer.tokens),
                    answer.score,      passes,
                    std::move(scored), {},
                    alternative_passes};
  for (TargetPath& path : alternatives) {
    if (!path.whole) continue;
    done.alternatives.push_back({std::move(path.tokens), path.score});
  }
  std::stable_sort(done.alternatives.begin(), done.alternatives.end(),
                   [](const Alternative& a, const Alternative& b) {
                     return a.score > b.score;
                   });
  return done;
}

}  // namespace quaver
