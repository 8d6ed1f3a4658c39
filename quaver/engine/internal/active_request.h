// A Generator's request on its way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quaver/engine/bart.h"
#include "quaver/engine/generation.h"
#include "quaver/engine/internal/target_pass.h"

namespace quaver {

// Another token than the answer's.
struct Branch {
  size_t at = 0;  // its number among the answer's tokens
  int32_t token = 0;
  double score = 0;  // of the tokens up to it
};

// Has a range of the cache of its own. The texts of `request` are as answers,
// without the decoder's start and the end.
struct ActiveRequest {
  const BartConfig* config = nullptr;
  GenerationRequest request;
  bool started = false;
  size_t place = 0;             // of the ranges
  uint32_t source_first = 0;    // row of the cache
  std::vector<uint32_t> free;   // slots that hold nothing
  TargetPath answer;            // its first tree begins with the scored texts
  size_t num_scored_nodes = 0;  // of that tree
  std::vector<Branch> branches;
  std::vector<TargetPath> alternatives;  // once the answer is whole
  size_t turn = 0;                       // alternative that is next
  std::vector<TargetPath*> moving;       // of this pass
  int passes = 0, alternative_passes = 0;
  std::vector<double> scored;

  // Plants the tree of those scored texts that may be answers.
  void PlanScored(int max_tokens);
  // Chooses what moves in this pass: the answer, then alternatives by turns.
  // Each but the first takes a row of `left`.
  void Choose(size_t* left);
  // Keeps the likeliest of the scored texts as a draft: more are rows that
  // cost more than they save.
  void DropDrafts();
  // Confirms what the pass showed of a path that moved.
  void Advance(TargetPass& pass, TargetPath* path);
  // Alternatives from the best branches, once the answer is whole.
  void Fork();
  bool Whole(const TargetPath& path) const;
  bool Done() const;
  Generated Finish();
};

// From how a text is written to what comes after the decoder's start, less the
// end.
std::vector<int32_t> AsAnswer(const BartConfig& config,
                              std::vector<int32_t> text);

}  // namespace quaver
