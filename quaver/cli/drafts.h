// What is guessed of a correction before the model is asked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/index/snapshot.h"
#include "quaver/text/bpe.h"

namespace quaver {

class Drafts {
 public:
  // No guess; the input itself; and, before it, what a dictionary of the
  // catalogue's words makes of the input.
  static inline const std::vector<std::string> kKinds = {"none", "input",
                                                         "dictionary"};

  // InvalidArgument unless an index is named for a dictionary, and only then.
  static absl::StatusOr<Drafts> Open(const std::string& kind,
                                     const std::string& index_folder);

  // `tokenizer` may be null for an empty `text`, which a dictionary has no
  // guess for.
  std::vector<std::vector<int32_t>> Of(const std::string& text,
                                       const std::vector<int32_t>& source,
                                       const Bpe* tokenizer,
                                       int max_tokens) const;

 private:
  std::string kind_;
  Snapshot snapshot_;
};

}  // namespace quaver
