// How much worse a model is than another that it should equal, in points:
// hundredths of the measure. Each keeps what the first call found of the
// reference, which must be the same in every call. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
#include "quaver/text/bpe.h"
#include "quaver/text/wordpiece.h"

namespace quaver {

using EncoderDrop = std::function<absl::StatusOr<double>(
    const BertModel& reference, const BertModel& candidate)>;
using CorrectorDrop = std::function<absl::StatusOr<double>(
    const BartModel& reference, const BartModel& candidate)>;

// One minus the mean cosine of both models' embeddings.
EncoderDrop CosineDrop(std::shared_ptr<const WordPiece> tokenizer,
                       std::vector<std::string> texts);

// Spearman's rho of cosines and people's scores, of a file with the columns
// score, sentence1, sentence2. Errors as ReadSentencePairs'; FailedPrecondition
// for a file that no rank can be judged by: fewer than kLeastPairs pairs, or
// all of one score.
inline constexpr size_t kLeastPairs = 30;
absl::StatusOr<EncoderDrop> SpearmanDrop(
    std::shared_ptr<const WordPiece> tokenizer, const std::string& path);

// The share of greedy answers' tokens that are not the reference's.
CorrectorDrop TokenDrop(std::shared_ptr<const Bpe> tokenizer,
                        std::vector<std::string> texts);

// Exact fix: the share of rows whose greedy answer is `corrected`, of a file
// with the columns query and corrected.
absl::StatusOr<CorrectorDrop> ExactFixDrop(std::shared_ptr<const Bpe> tokenizer,
                                           const std::string& path);

// Lines of a file that are not empty. FailedPrecondition when there are none.
absl::StatusOr<std::vector<std::string>> ReadCalibration(
    const std::string& path);

// What stands in for a calibration file: queries as people type them.
const std::vector<std::string>& SampleQueries();

}  // namespace quaver
