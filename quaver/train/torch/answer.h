// `quaver-train answer`: what a model says, line by line.
#pragma once

#include <istream>
#include <ostream>
#include <string>

#include "quaver/base/status.h"

namespace quaver {

struct AnswerOptions {
  std::string model;  // a Hugging Face BART folder with its tokenizer
  std::string precision = "fp32";
  int64_t max_tokens = 64;  // of an answer
};

// Reads queries, one a line, and writes the model's greedy answer to each: what
// Transformers' generate gives. Queries are made comparable first
// (text/compare.h); one that is empty then stays as it is, and
// what is longer than the model or Attention::kMaxLength takes is cut.
absl::Status AnswerLines(const AnswerOptions& options, std::istream& in,
                         std::ostream& out);

}  // namespace quaver
