// Runs models over texts while somebody watches what their products read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
#include "quaver/engine/product_observer.h"

namespace quaver {

// Tokens of texts, special ones included.
using TokenLists = std::vector<std::vector<int32_t>>;

// InvalidArgument when a text has no token or more than max_tokens; the message
// says what texts are to do: "calibrate on".
absl::Status CheckLengths(const TokenLists& texts, size_t max_tokens,
                          std::string_view use);

// A text a call. Not thread-safe; the model must outlive it.
class EncoderReader {
 public:
  EncoderReader(const BertModel& model, size_t max_tokens);
  static size_t MaxTokens(const BertModel& model);

  // REQUIRES: 1 to max_tokens tokens.
  void Read(const std::vector<int32_t>& ids, ProductObserver observer);

 private:
  const BertModel& model_;
  BertWorkspace workspace_;
  std::vector<float> embedding_;
};

// A text is the source, and its own target in one pass: a correction differs
// little from what was typed.
class CorrectorReader {
 public:
  CorrectorReader(const BartModel& model, size_t max_tokens);
  static size_t MaxTokens(const BartModel& model);

  // REQUIRES: 1 to max_tokens tokens.
  void Read(const std::vector<int32_t>& ids, ProductObserver observer);

 private:
  const BartModel& model_;
  BartWorkspace workspace_;
  BartCache cache_;
};

}  // namespace quaver
