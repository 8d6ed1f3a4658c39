// Does the encoder place alike what people call alike?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/status.h"
#include "quaver/eval/statistics.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct SentencePair {
  double score = 0;  // people's, greater is more alike
  std::string first;
  std::string second;
};

// A TSV file with a heading that names score, sentence1 and sentence2 (the
// STS benchmark's form).
absl::StatusOr<std::vector<SentencePair>> ReadSentencePairs(
    const std::string& path);

struct EncoderReport {
  size_t pairs = 0;
  Interval spearman;  // of cosine and people's score
  // Of the embeddings of all sentences to the reference's; 0 without one.
  double least_cosine = 0;
  double mean_cosine = 0;
};

// `reference` (may be null) is the encoder that this one should equal.
// FailedPrecondition when there are no pairs.
absl::StatusOr<EncoderReport> RunEncoderEval(
    const std::vector<SentencePair>& pairs, Servable& encoder,
    Servable* reference, uint64_t seed = 1);

nlohmann::json ToJson(const EncoderReport& report);
std::string ToMarkdown(const EncoderReport& report);

}  // namespace quaver
