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
  int pass = 0;      // that showed it
  int32_t node = 0;  // that it goes on from, in that pass's tree; -1: the root
};

// Has a range of the cache of its own, and memory that serves one request after
// the other. The texts of `request` are as answers, without the decoder's start
// and the end.
struct ActiveRequest {
  const BartConfig* config = nullptr;
  uint32_t source_first = 0;  // row of the cache
  uint32_t slots_first = 0;   // slot of the cache
  size_t num_slots = 0;

  GenerationRequest request;
  std::vector<std::span<const int32_t>> drafts;  // texts of the request
  bool started = false;
  std::vector<uint32_t> free;   // slots that hold nothing
  TargetPath answer;            // its first tree begins with the scored texts
  size_t num_scored_nodes = 0;  // of that tree
  // Best first, no more than alternatives are wanted.
  std::vector<Branch> branches;
  // Those that are followed are there once the answer is whole.
  std::vector<TargetPath> alternatives;  // [max_alternatives]
  size_t num_alternatives = 0;           // that are there
  size_t turn = 0;                       // alternative that is next
  std::vector<TargetPath*> moving;       // of this pass
  int passes = 0, alternative_passes = 0;
  std::vector<double> scored;
  std::vector<bool> kept;  // Advance's

  // Takes the memory; the places are the `number`th of each.
  void Reserve(const BartConfig& bart, const GeneratorLimits& limits,
               size_t number, size_t slots_of_a_request);
  // Begins with a request that was checked.
  void Begin(GenerationRequest wanted, int max_scored_tokens);
  // Plants the tree of those scored texts that may be answers.
  void PlanScored(int max_tokens);
  // Chooses what moves in this pass: the answer, then alternatives by turns.
  // Each but the first takes a row of `left`.
  void Choose(size_t* left);
  // Keeps the likeliest of the scored texts as a draft: more are rows that
  // cost more than they save.
  void DropDrafts();
  // Confirms what the pass showed of a path that moved.
  void Advance(const TargetPass& pass, TargetPath* path);
  // Alternatives from the best branches, once the answer is whole. Those whose
  // rest is in the tree of this pass are whole, too.
  void Fork(const TargetPass& pass);
  // Goes on with a path from that node of the answer's tree as long as it holds
  // what the model says; false, and the path is as it was, where that is not to
  // the end.
  bool FollowTree(const TargetPass& pass, int32_t node, TargetPath* path) const;
  void AddBranch(const Branch& branch);
  bool Whole(const TargetPath& path) const;
  bool Done() const;
  // Allocates what it returns, and forgets the request.
  Generated Finish();
  void Forget();
  std::span<const TargetPath> followed() const {
    return std::span(alternatives).first(num_alternatives);
  }
};

// From how a text is written to what comes after the decoder's start, less the
// end.
void MakeAnswer(const BartConfig& config, std::vector<int32_t>* text);

}  // namespace quaver
