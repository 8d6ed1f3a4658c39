// See lexical.h.
#include "quaver/index/lexical.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace quaver {
namespace {

absl::Status Damaged(const Artifact& artifact, const std::string& tensor,
                     const std::string& reason) {
  return absl::InvalidArgumentError(
      fmt::format("{}: tensor {}: {}; rebuild the index from its catalogue",
                  artifact.path(), tensor, reason));
}

bool AreOffsets(std::span<const uint32_t> offsets, size_t total) {
  return !offsets.empty() && offsets.front() == 0 && offsets.back() == total &&
         std::is_sorted(offsets.begin(), offsets.end());
}

}  // namespace

uint32_t LexicalIndex::StringTable::LowerBound(std::string_view text) const {
  uint32_t low = 0;
  uint32_t high = size();
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if ((*this)[middle] < text) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

IdRange LexicalIndex::StringTable::Prefix(std::string_view prefix) const {
  const uint32_t begin = LowerBound(prefix);
  // 0xFF is in no UTF-8 text, so it is above every continuation.
  return {begin, LowerBound(std::string(prefix) + '\xFF')};
}

absl::Status LexicalIndex::ReadStrings(const Artifact& artifact,
                                       const std::string& name,
                                       StringTable& table) const {
  ASSIGN_OR_RETURN(const auto bytes, artifact.Get<char>(name + ".bytes", {-1}));
  ASSIGN_OR_RETURN(table.offsets_,
                   artifact.Get<uint32_t>(name + ".offsets", {-1}));
  if (!AreOffsets(table.offsets_, bytes.size())) {
    return Damaged(artifact, name + ".offsets", "not rising to the end");
  }
  table.bytes_ = std::string_view(bytes.data(), bytes.size());
  for (uint32_t i = 1; i < table.size(); ++i) {
    if (table[i - 1] >= table[i]) {
      return Damaged(artifact, name + ".bytes", "not in order");
    }
  }
  return absl::OkStatus();
}

absl::Status LexicalIndex::ReadLists(const Artifact& artifact,
                                     const std::string& name,
                                     uint32_t num_lists, uint32_t id_bound,
                                     Lists& lists) const {
  ASSIGN_OR_RETURN(lists.ids, artifact.Get<uint32_t>(name + ".ids", {-1}));
  ASSIGN_OR_RETURN(
      lists.offsets,
      artifact.Get<uint32_t>(name + ".offsets", {int64_t{num_lists} + 1}));
  if (!AreOffsets(lists.offsets, lists.ids.size())) {
    return Damaged(artifact, name + ".offsets", "not rising to the end");
  }
  for (const uint32_t id : lists.ids) {
    if (id >= id_bound) {
      return Damaged(artifact, name + ".ids",
                     fmt::format("{} is not below {}", id, id_bound));
    }
  }
  return absl::OkStatus();
}

absl::Status LexicalIndex::ReadNameColumn(
    const Artifact& artifact, const std::string& name,
    std::span<const uint32_t>& column) const {
  ASSIGN_OR_RETURN(column, artifact.Get<uint32_t>(name, {num_documents_}));
  for (const uint32_t id : column) {
    if (id != kNoName && id >= num_names()) {
      return Damaged(artifact, name,
                     fmt::format("{} is not below {}", id, num_names()));
    }
  }
  return absl::OkStatus();
}

absl::Status LexicalIndex::Read(const Artifact& artifact) {
  RETURN_IF_ERROR(ReadStrings(artifact, "lexical.terms", terms_));
  RETURN_IF_ERROR(ReadStrings(artifact, "lexical.names", names_));
  RETURN_IF_ERROR(ReadLists(artifact, "lexical.postings", num_terms(),
                            num_documents_, postings_));
  ASSIGN_OR_RETURN(impacts_, artifact.Get<uint8_t>(
                                 "lexical.postings.impacts",
                                 {static_cast<int64_t>(postings_.ids.size())}));
  RETURN_IF_ERROR(ReadLists(artifact, "lexical.name_terms", num_names(),
                            num_terms(), name_terms_));
  RETURN_IF_ERROR(ReadLists(artifact, "lexical.title_docs", num_names(),
                            num_documents_, title_docs_));
  RETURN_IF_ERROR(ReadLists(artifact, "lexical.artist_docs", num_names(),
                            num_documents_, artist_docs_));
  RETURN_IF_ERROR(
      ReadNameColumn(artifact, "lexical.title_names", title_names_));
  RETURN_IF_ERROR(
      ReadNameColumn(artifact, "lexical.artist_names", artist_names_));
  RETURN_IF_ERROR(
      ReadNameColumn(artifact, "lexical.album_names", album_names_));
  ASSIGN_OR_RETURN(grams_, artifact.Get<Gram>("lexical.grams", {-1}));
  if (!std::is_sorted(grams_.begin(), grams_.end())) {
    return Damaged(artifact, "lexical.grams", "not in order");
  }
  RETURN_IF_ERROR(ReadLists(artifact, "lexical.gram_names",
                            static_cast<uint32_t>(grams_.size()), num_names(),
                            gram_names_));
  ASSIGN_OR_RETURN(gram_norms_,
                   artifact.Get<float>("lexical.gram_norms", {num_names()}));
  for (const float norm : gram_norms_) {
    if (!(norm > 0 && norm < 1e9f)) {
      return Damaged(artifact, "lexical.gram_norms", "out of range");
    }
  }
  return absl::OkStatus();
}

void LexicalIndex::PrepareGrams() {
  const size_t num_words = (num_names() + kTallyBlock - 1) / kTallyBlock;
  gram_scales_.resize(num_words * kTallyBlock, 0);
  const float shortest =
      gram_norms_.empty()
          ? 1
          : *std::min_element(gram_norms_.begin(), gram_norms_.end());
  for (size_t name = 0; name < gram_norms_.size(); ++name) {
    gram_scales_[name] = static_cast<uint16_t>(
        std::lround(65535 * std::sqrt(shortest / gram_norms_[name])));
  }
  bitmap_places_.assign(grams_.size(), kNoBitmap);
  for (uint32_t gram = 0; gram < grams_.size(); ++gram) {
    if (gram_names_[gram].size() <= num_words) continue;
    const size_t place = bitmaps_.size();
    if (place + num_words > kNoBitmap) break;  // the lists do as well
    bitmap_places_[gram] = static_cast<uint32_t>(place);
    bitmaps_.resize(place + num_words);
    for (const uint32_t name : gram_names_[gram]) {
      bitmaps_[place + name / kTallyBlock] |= 1u << (name % kTallyBlock);
    }
  }
}

absl::StatusOr<std::unique_ptr<const LexicalIndex>> LexicalIndex::Open(
    std::shared_ptr<const Artifact> artifact, uint32_t num_documents,
    const Kernels& kernels) {
  std::unique_ptr<LexicalIndex> index(new LexicalIndex);
  index->num_documents_ = num_documents;
  index->tally_ = &kernels.tally;
  RETURN_IF_ERROR(index->Read(*artifact));
  index->PrepareGrams();
  index->artifact_ = std::move(artifact);
  return std::unique_ptr<const LexicalIndex>(std::move(index));
}

std::optional<uint32_t> LexicalIndex::FindTerm(std::string_view word) const {
  const uint32_t term = terms_.LowerBound(word);
  if (term == num_terms() || terms_[term] != word) return std::nullopt;
  return term;
}

IdRange LexicalIndex::TermPrefix(std::string_view prefix) const {
  return terms_.Prefix(prefix);
}

IdRange LexicalIndex::NamePrefix(std::string_view prefix) const {
  return names_.Prefix(prefix);
}

TermPostings LexicalIndex::postings(uint32_t term) const {
  const uint32_t begin = postings_.offsets[term];
  return {postings_[term],
          impacts_.subspan(begin, postings_.offsets[term + 1] - begin)};
}

float LexicalIndex::TermIdf(uint32_t term) const {
  const double df = static_cast<double>(postings_[term].size());
  return static_cast<float>(
      std::log(1 + (num_documents_ - df + 0.5) / (df + 0.5)));
}

std::span<const uint32_t> LexicalIndex::name_terms(uint32_t name) const {
  return name_terms_[name];
}

void LexicalIndex::PrefetchNames(std::span<const uint32_t> names) const {
  for (const uint32_t name : names) {
    if (name == kNoName) continue;
    __builtin_prefetch(&names_.offsets_[name]);
    __builtin_prefetch(&name_terms_.offsets[name]);
    __builtin_prefetch(&artist_docs_.offsets[name]);
  }
  for (const uint32_t name : names) {
    if (name == kNoName) continue;
    __builtin_prefetch(names_.bytes_.data() + names_.offsets_[name]);
    __builtin_prefetch(name_terms_.ids.data() + name_terms_.offsets[name]);
  }
}

std::span<const uint32_t> LexicalIndex::title_docs(uint32_t name) const {
  return title_docs_[name];
}

std::span<const uint32_t> LexicalIndex::artist_docs(uint32_t name) const {
  return artist_docs_[name];
}

std::optional<uint32_t> LexicalIndex::FindGram(Gram gram) const {
  const auto found = std::lower_bound(grams_.begin(), grams_.end(), gram);
  if (found == grams_.end() || *found != gram) return std::nullopt;
  return static_cast<uint32_t>(found - grams_.begin());
}

float LexicalIndex::GramIdf(size_t num_names_with_gram) const {
  return static_cast<float>(
      1 + std::log((1.0 + num_names()) /
                   (1.0 + static_cast<double>(num_names_with_gram))));
}

}  // namespace quaver
