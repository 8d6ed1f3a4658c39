// See target_pass.h.
#include "quaver/engine/internal/target_pass.h"

#include <cmath>
#include <limits>

#include "quaver/engine/internal/token_rules.h"

namespace quaver {

TargetPass::TargetPass(const BartModel& model, size_t max_rows)
    : model_(model),
      logits_(max_rows * static_cast<size_t>(model.config().vocab_size)) {}

void TargetPass::Clear() {
  tokens_.clear();
  positions_.clear();
  slots_.clear();
  seen_.clear();
  seen_offsets_.assign(1, 0);
  source_begin_.clear();
  source_end_.clear();
  summaries_.clear();
}

// What it sees is at the end of seen_, its own slot last.
void TargetPass::AddRow(int32_t token, uint32_t source_begin,
                        uint32_t source_end) {
  tokens_.push_back(token);
  positions_.push_back(
      static_cast<uint32_t>(seen_.size() - seen_offsets_.back()) - 1);
  slots_.push_back(seen_.back());
  seen_offsets_.push_back(static_cast<uint32_t>(seen_.size()));
  source_begin_.push_back(source_begin);
  source_end_.push_back(source_end);
  summaries_.emplace_back();
}

void TargetPass::Add(uint32_t source_begin, uint32_t source_end,
                     std::vector<uint32_t>* free, TargetPath* path) {
  path->first_row = tokens_.size();
  path->tree_slots.clear();
  const auto take = [&] {
    const uint32_t slot = free->back();
    free->pop_back();
    path->tree_slots.push_back(slot);
    return slot;
  };
  seen_.insert(seen_.end(), path->slots.begin(), path->slots.end());
  seen_.push_back(take());
  AddRow(path->tokens.back(), source_begin, source_end);
  for (const DraftNode& node : path->tree) {
    // What its parent sees, and itself.
    const size_t parent =
        path->first_row + static_cast<size_t>(node.parent + 1);
    const uint32_t begin = seen_offsets_[parent];
    const uint32_t end = seen_offsets_[parent + 1];
    for (uint32_t i = begin; i < end; ++i) seen_.push_back(seen_[i]);
    seen_.push_back(take());
    AddRow(node.token, source_begin, source_end);
  }
}

void TargetPass::Run(BartWorkspace& workspace, BartCache& cache) {
  const auto V = static_cast<size_t>(model_.config().vocab_size);
  model_.Decode({tokens_, positions_, slots_, seen_, seen_offsets_,
                 source_begin_, source_end_},
                workspace, cache, std::span(logits_).first(tokens_.size() * V));
}

const RowSummary& TargetPass::Summary(size_t row,
                                      const GenerationOptions& options,
                                      std::span<const int32_t> tokens) {
  std::optional<RowSummary>& summary = summaries_[row];
  if (!summary) {
    const auto V = static_cast<size_t>(model_.config().vocab_size);
    float* logits = logits_.data() + row * V;
    BanTokens(model_.config(), options, tokens, logits);
    summary = model_.kernels().dense.summarise(logits, V);
  }
  return *summary;
}

NextTokens TargetPass::Next(size_t row, const GenerationOptions& options,
                            std::span<const int32_t> tokens) {
  const auto forced = ForcedToken(model_.config(), options, tokens);
  if (forced) return {1, {*forced}, {0}};
  const RowSummary& summary = Summary(row, options, tokens);
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
                                  std::span<const int32_t> tokens,
                                  int32_t token) {
  const auto forced = ForcedToken(model_.config(), options, tokens);
  if (forced) {
    return token == *forced ? 0 : -std::numeric_limits<double>::infinity();
  }
  const RowSummary& summary = Summary(row, options, tokens);
  const auto V = static_cast<size_t>(model_.config().vocab_size);
  const float logit = logits_[row * V + static_cast<size_t>(token)];
  return static_cast<double>(logit) - summary.greatest[0] -
         std::log(static_cast<double>(summary.sum));
}

}  // namespace quaver
