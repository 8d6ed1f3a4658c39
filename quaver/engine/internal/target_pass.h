// One pass of the decoder over several targets, and what it says comes next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quaver/engine/bart.h"
#include "quaver/engine/generation.h"
#include "quaver/engine/internal/draft_tree.h"

namespace quaver {

// A target on its way. Paths that begin alike may share slots.
struct TargetPath {
  std::vector<int32_t> tokens;  // confirmed, the decoder's start first
  std::vector<uint32_t> slots;  // of all tokens but the last
  double score = 0;             // natural logarithm of its probability
  bool whole = false;

  std::vector<DraftNode> tree;       // of this pass
  std::vector<uint32_t> tree_slots;  // of the last token, then of each node
  size_t first_row = 0;              // of this pass

  // Room for so many tokens and nodes.
  void Reserve(size_t num_tokens, size_t num_nodes);
  // As new; keeps its memory.
  void Clear();
};

// A path's request.
struct PathSource {
  uint32_t begin = 0, end = 0;  // rows of the cache
  const GenerationOptions* options = nullptr;
  std::vector<uint32_t>* free = nullptr;  // slots, taken from the end
};

// The likeliest next tokens, likeliest first; a forced one is alone.
struct NextTokens {
  size_t count = 0;
  std::array<int32_t, RowSummary::kCount> tokens{};
  std::array<double, RowSummary::kCount> scores{};  // natural logarithms
};

// Clear, Add paths, Run; then ask. Takes its memory when it is made.
class TargetPass {
 public:
  // For max_rows, in targets of at most max_tokens. `model` must outlive it.
  TargetPass(const BartModel& model, size_t max_rows, size_t max_tokens);

  void Clear();
  // A row for the path's last token and each node of its tree. Where there is a
  // num_scored, the probabilities of the first so many nodes may be asked for,
  // and of the end after each of them and after the path.
  void Add(const PathSource& source, std::optional<size_t> num_scored,
           TargetPath* path);
  void Run(BartWorkspace& workspace, BartCache& cache);

  // What follows a row, whose token is the last of num_tokens.
  NextTokens Next(size_t row, const GenerationOptions& options,
                  size_t num_tokens) const;
  // Natural logarithm of the probability of `token` after a row. REQUIRES: it
  // was announced as Add says.
  double LogProbability(size_t row, const GenerationOptions& options,
                        size_t num_tokens, int32_t token) const;

 private:
  void AddRow(int32_t token, const PathSource& source);
  // Bans what may not follow the rows of a path.
  void Ban(const GenerationOptions& options, const TargetPath& path);

  const BartModel& model_;
  std::vector<int32_t> tokens_;
  std::vector<uint32_t> positions_, slots_, seen_, seen_offsets_, source_begin_,
      source_end_;
  std::vector<RowToken> banned_, wanted_;
  std::vector<float> wanted_logits_;
  std::vector<RowSummary> summaries_;  // [rows]
  std::vector<int32_t> past_;          // of a row, for Ban
};

}  // namespace quaver
