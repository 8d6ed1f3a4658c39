// See target_pass.h.
#include "quaver/engine/internal/target_pass.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quaver/base/check.h"
#include "quaver/engine/internal/token_rules.h"

namespace quaver {

void TargetPath::Reserve(size_t num_tokens, size_t num_nodes) {
  tokens.reserve(num_tokens);
  slots.reserve(num_tokens);
  tree.reserve(num_nodes);
  tree_slots.reserve(num_nodes + 1);
}

void TargetPath::Clear() {
  tokens.clear();
  slots.clear();
  score = 0;
  whole = false;
  tree.clear();
  tree_slots.clear();
}

TargetPass::TargetPass(const BartModel& model, size_t max_rows,
                       size_t max_tokens)
    : model_(model) {
  for (auto* numbers : {&positions_, &slots_, &source_begin_, &source_end_}) {
    numbers->reserve(max_rows);
  }
  tokens_.reserve(max_rows);
  seen_.reserve(max_rows * max_tokens);
  seen_offsets_.reserve(max_rows + 1);
  // A row bans each of its tokens at most, and the end. It wants the end; and
  // one row wants its token.
  banned_.reserve(max_rows * (max_tokens + 1));
  wanted_.reserve(2 * max_rows);
  wanted_logits_.reserve(2 * max_rows);
  summaries_.reserve(max_rows);
  past_.reserve(max_tokens);
}

void TargetPass::Clear() {
  tokens_.clear();
  positions_.clear();
  slots_.clear();
  seen_.clear();
  seen_offsets_.assign(1, 0);
  source_begin_.clear();
  source_end_.clear();
  banned_.clear();
  wanted_.clear();
}

// What it sees is at the end of seen_, its own slot last.
void TargetPass::AddRow(int32_t token, const PathSource& source) {
  tokens_.push_back(token);
  positions_.push_back(
      static_cast<uint32_t>(seen_.size() - seen_offsets_.back()) - 1);
  slots_.push_back(seen_.back());
  seen_offsets_.push_back(static_cast<uint32_t>(seen_.size()));
  source_begin_.push_back(source.begin);
  source_end_.push_back(source.end);
}

void TargetPass::Add(const PathSource& source, std::optional<size_t> num_scored,
                     TargetPath* path) {
  path->first_row = tokens_.size();
  path->tree_slots.clear();
  const auto take = [&] {
    const uint32_t slot = source.free->back();
    source.free->pop_back();
    path->tree_slots.push_back(slot);
    return slot;
  };
  seen_.insert(seen_.end(), path->slots.begin(), path->slots.end());
  seen_.push_back(take());
  AddRow(path->tokens.back(), source);
  const int32_t eos_id = model_.config().eos_id;
  if (num_scored) {
    wanted_.push_back({static_cast<uint32_t>(path->first_row), eos_id});
  }
  for (size_t i = 0; i < path->tree.size(); ++i) {
    const DraftNode& node = path->tree[i];
    // What its parent sees, and itself.
    const size_t parent =
        path->first_row + static_cast<size_t>(node.parent + 1);
    const uint32_t begin = seen_offsets_[parent];
    const uint32_t end = seen_offsets_[parent + 1];
    for (uint32_t s = begin; s < end; ++s) seen_.push_back(seen_[s]);
    seen_.push_back(take());
    AddRow(node.token, source);
    if (num_scored && i < *num_scored) {
      wanted_.push_back({static_cast<uint32_t>(parent), node.token});
      wanted_.push_back(
          {static_cast<uint32_t>(path->first_row + i + 1), eos_id});
    }
  }
  Ban(*source.options, *path);
}

void TargetPass::Ban(const GenerationOptions& options, const TargetPath& path) {
  if (options.no_repeat_ngram_size == 0 && options.min_new_tokens == 0) return;
  for (size_t i = 0; i <= path.tree.size(); ++i) {
    past_.assign(path.tokens.begin(), path.tokens.end());
    const auto known = static_cast<std::ptrdiff_t>(past_.size());
    for (int32_t at = static_cast<int32_t>(i) - 1; at >= 0;
         at = path.tree[static_cast<size_t>(at)].parent) {
      past_.push_back(path.tree[static_cast<size_t>(at)].token);
    }
    std::reverse(past_.begin() + known, past_.end());
    const auto row = static_cast<uint32_t>(path.first_row + i);
    ForEachBanned(model_.config(), options, past_,
                  [&](int32_t token) { banned_.push_back({row, token}); });
  }
}

void TargetPass::Run(BartWorkspace& workspace, BartCache& cache) {
  summaries_.resize(tokens_.size());
  wanted_logits_.resize(wanted_.size());
  const LogitQueries queries{summaries_, banned_, wanted_, wanted_logits_};
  model_.Decode({tokens_, positions_, slots_, seen_, seen_offsets_,
                 source_begin_, source_end_},
                workspace, cache, queries);
}

NextTokens TargetPass::Next(size_t row, const GenerationOptions& options,
                            size_t num_tokens) const {
  const auto forced = ForcedToken(model_.config(), options, num_tokens);
  if (forced) return {1, {*forced}, {0}};
  const RowSummary& summary = summaries_[row];
  const double log_sum = std::log(static_cast<double>(summary.sum));
  NextTokens next{RowSummary::kCount, {}, {}};
  for (size_t i = 0; i < next.count; ++i) {
    next.tokens[i] = static_cast<int32_t>(summary.index[i]);
    next.scores[i] = static_cast<double>(summary.greatest[i]) -
                     summary.greatest[0] - log_sum;
  }
  return next;
}

double TargetPass::LogProbability(size_t row, const GenerationOptions& options,
                                  size_t num_tokens, int32_t token) const {
  const auto forced = ForcedToken(model_.config(), options, num_tokens);
  if (forced) {
    return token == *forced ? 0 : -std::numeric_limits<double>::infinity();
  }
  const auto found =
      std::find_if(wanted_.begin(), wanted_.end(), [&](const RowToken& one) {
        return one.row == row && one.token == token;
      });
  QUAVER_CHECK(found != wanted_.end());
  const RowSummary& summary = summaries_[row];
  const float logit =
      wanted_logits_[static_cast<size_t>(found - wanted_.begin())];
  return static_cast<double>(logit) - summary.greatest[0] -
         std::log(static_cast<double>(summary.sum));
}

}  // namespace quaver
