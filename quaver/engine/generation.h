// Greedy generation with drafts: what a BART answers, token by token or many
// at once.
//
//   Generator generator(*model, {});
//   generator.Add({.id = 7, .source = ids, .drafts = {ids}});
//   std::vector<Generated> done;
//   while (!generator.idle()) generator.Step(&done);
//
// Drafted decoding (Stern et al. 2018, "Blockwise parallel decoding"; Leviathan
// et al. 2023): a guess of the answer is read in one pass, and what the model
// itself would have said up to its first other token stands. Whatever the
// drafts and whoever shares the passes, the tokens are those of decoding one
// by one, because a row's logits depend on nothing else (bart.h).
//
// A request may also ask how likely given texts are as its answer, and for
// further answers: the greedy one with one token replaced by the model's second
// or third choice and greedily gone on from there. All of it shares the
// source, and what begins alike is computed once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quaver/engine/bart.h"

namespace quaver {

// Lengths and bans as Hugging Face's generate() has them.
struct GenerationOptions {
  // Beside the decoder's start; the end counts. Never more than fit.
  int max_new_tokens = 64;
  int min_new_tokens = 0;        // before this many the end cannot come
  int no_repeat_ngram_size = 0;  // 0: none
};

struct GenerationRequest {
  uint64_t id = 0;              // the caller's
  std::vector<int32_t> source;  // with what the tokenizer puts around a text
  // Guesses of the answer, best first, as `source` is written; often the source
  // itself. None: one token a pass.
  std::vector<std::vector<int32_t>> drafts;
  GenerationOptions options;
  // Texts, as `source` is written, whose probability as an answer is wanted.
  // They are drafts as well, after `drafts`; the likeliest beyond the first
  // pass.
  std::vector<std::vector<int32_t>> scored;
  // Answers wanted beside the greedy one, at most: those whose beginnings, up
  // to their other token, are the likeliest, and e^least_alternative at least.
  int alternatives = 0;
  double least_alternative = -4;
};

struct Alternative {
  std::vector<int32_t> tokens;  // as Generated's
  double score = 0;
};

struct Generated {
  uint64_t id = 0;
  // The decoder's start, the answer, and the end unless max_new_tokens came
  // first: what generate() returns.
  std::vector<int32_t> tokens;
  double score = 0;  // natural logarithm of the answer's probability
  int passes = 0;    // of the decoder, until the answer was whole
  // Natural logarithms of the scored texts' probabilities, end included, in the
  // request's order; forced tokens count 0, as in `score`. Minus infinity for
  // what can be no answer, and for what the limits have no room for.
  std::vector<double> scored;
  // Best first; none is the answer, no two are one.
  std::vector<Alternative> alternatives;
  int alternative_passes = 0;  // after the answer was whole
};

struct GeneratorLimits {
  int max_requests = 8;        // at once
  int max_source_tokens = 64;  // of a request
  int max_target_tokens = 66;  // of a request, start and end included
  // Of a pass, drafts included; at least max_requests + max_scored_tokens.
  int max_rows = 128;
  // Of a request in a pass, of all its drafts together.
  int max_draft_tokens = 48;
  // Of a request's scored texts, what they begin alike with counted once. Those
  // that come first have the room; one has it wholly or is not scored.
  int max_scored_tokens = 0;
  int max_alternatives = 0;  // of a request
};

// Runs requests that are at different steps together (continuous batching). One
// thread at a time, and its team (team.h), whose size changes no answer. Memory
// is taken when it is made. Later, Step allocates the vectors of what it
// appends to `done`, Add the `scored` of a request that has any; and room grows
// for drafts and scored texts that are more than 8 and all before, or longer
// than an answer. Logits are not stored.
class Generator {
 public:
  // `model` must outlive it. REQUIRES: limits above 0; texts no longer than the
  // model's positions.
  Generator(const BartModel& model, const GeneratorLimits& limits,
            const TeamConfig& team = {});
  ~Generator();

  // Of the workspace and the cache: all but some KiB a request. And what one of
  // that configuration takes, known before a model is loaded.
  size_t bytes() const;
  static size_t Bytes(const BartConfig& config, const Kernels& kernels,
                      const GeneratorLimits& limits,
                      const TeamConfig& team = {});

  // InvalidArgument naming what is wrong with the request: no token, too many,
  // an id that is none, too many alternatives. ResourceExhausted when
  // max_requests are active.
  absl::Status Add(GenerationRequest request);
  // Forgets an active request; false when there is none of that id.
  bool Cancel(uint64_t id);

  // One pass for all active requests; appends those that are done. A new one
  // waits while there are no rows for its scored texts. At most max_new_tokens
  // passes for a request's answer, whatever the drafts, and as many for its
  // alternatives: those that rows were too few for are left out.
  void Step(std::vector<Generated>* done);
  bool idle() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quaver
