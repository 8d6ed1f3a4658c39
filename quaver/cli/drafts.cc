// See drafts.h.
#include "quaver/cli/drafts.h"

#include "quaver/index/manifest.h"
#include "quaver/ingest/index_folder.h"
#include "quaver/search/query.h"
#include "quaver/search/word_readings.h"

namespace quaver {
namespace {

constexpr size_t kMaxGuesses = 4;

}  // namespace

absl::StatusOr<Drafts> Drafts::Open(const std::string& kind,
                                    const std::string& index_folder) {
  if ((kind == "dictionary") == index_folder.empty()) {
    return absl::InvalidArgumentError(
        "--draft dictionary needs --index DIR, and nothing else does");
  }
  Drafts drafts;
  drafts.kind_ = kind;
  if (index_folder.empty()) return drafts;
  ASSIGN_OR_RETURN(const Manifest manifest, LoadManifest(index_folder));
  ASSIGN_OR_RETURN(drafts.snapshot_, OpenSnapshot(index_folder, manifest));
  return drafts;
}

std::vector<std::vector<int32_t>> Drafts::Of(const std::string& text,
                                             const std::vector<int32_t>& source,
                                             const Bpe* tokenizer,
                                             int max_tokens) const {
  std::vector<std::vector<int32_t>> drafts;
  if (kind_ == "none") return drafts;
  if (kind_ == "dictionary" && !text.empty()) {
    for (const std::string& guess :
         ReadAsWords(snapshot_, PrepareQuery(text), kMaxGuesses)) {
      drafts.push_back(tokenizer->Encode(guess, max_tokens));
    }
  }
  drafts.push_back(source);
  return drafts;
}

}  // namespace quaver
