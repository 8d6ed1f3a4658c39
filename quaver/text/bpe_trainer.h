// Learns a byte-level BPE vocabulary from texts (Sennrich et al. 2016; bytes as
// in Radford et al. 2019).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "quaver/base/status.h"
#include "quaver/text/bpe_spec.h"

namespace quaver {

struct BpeTrainerConfig {
  int vocab_size = 8'192;  // with the special tokens and the 256 bytes
  int64_t min_count = 2;   // pairs seen less often are not merged
  bool add_prefix_space = true;
};

//   BpeTrainer trainer({.vocab_size = 8'192});
//   trainer.Add("purple rain", 3);
//   ASSIGN_OR_RETURN(BpeSpec spec, trainer.Train());
//
// Not thread-safe.
class BpeTrainer {
 public:
  explicit BpeTrainer(BpeTrainerConfig config = {}) : config_(config) {}

  // Counts a text's words `count` times. Invalid UTF-8 becomes U+FFFD.
  void Add(std::string_view text, int64_t count = 1);

  // The tokens <s> 0, <pad> 1, </s> 2, <unk> 3, <mask> 4, the bytes from 5 on,
  // then merges, the most frequent pair first, of equal ones that of smaller
  // ids: the same for the same texts in any order. Fewer than vocab_size when
  // the texts have no more pairs. Texts stand between <s> and </s>.
  // InvalidArgument for a vocabulary without room for a merge,
  // FailedPrecondition without any text. `progress` is told merges done, of
  // how many.
  absl::StatusOr<BpeSpec> Train(
      const std::function<void(int done, int total)>& progress = {}) const;

 private:
  BpeTrainerConfig config_;
  std::unordered_map<std::string, int64_t> words_;  // as bytes
};

}  // namespace quaver
