// The lexical index of a segment: names, terms, n-grams and postings.
//
// A *name* is a distinct normalised title or artist; a *term* a distinct word
// of any field. Both are numbered in byte order, so a prefix is a range.
// Postings are in order of document number, which within a type is the order
// of popularity. The builder is in lexical_builder.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "quaver/artifact/artifact.h"
#include "quaver/base/status.h"
#include "quaver/index/grams.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

inline constexpr uint32_t kNoName = UINT32_MAX;

// Half-open.
struct IdRange {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t size() const { return end - begin; }
};

// The documents that have a term, and how much it weighs in each:
// BM25F's saturated term frequency times 255.
struct TermPostings {
  std::span<const uint32_t> docs;    // rising
  std::span<const uint8_t> impacts;  // [docs]
};

// Immutable, thread-safe, reads the artifact's memory in place. Arguments that
// are ids must be in range.
class LexicalIndex {
 public:
  // InvalidArgument naming the tensor for what does not fit.
  // `kernels` must outlive it.
  static absl::StatusOr<std::unique_ptr<const LexicalIndex>> Open(
      std::shared_ptr<const Artifact> artifact, uint32_t num_documents,
      const Kernels& kernels);

  uint32_t num_terms() const { return terms_.size(); }
  std::string_view term(uint32_t term) const { return terms_[term]; }
  std::optional<uint32_t> FindTerm(std::string_view word) const;
  IdRange TermPrefix(std::string_view prefix) const;
  TermPostings postings(uint32_t term) const;
  // ln(1 + (N - df + 0.5) / (df + 0.5)), Robertson and Sparck Jones.
  float TermIdf(uint32_t term) const;

  uint32_t num_names() const { return names_.size(); }
  std::string_view name(uint32_t name) const { return names_[name]; }
  IdRange NamePrefix(std::string_view prefix) const;
  // Of each word, in order.
  std::span<const uint32_t> name_terms(uint32_t name) const;
  // Asks for the memory of name(), name_terms() and the size of artist_docs()
  // of names that will be read next, kNoName left out: they lie far apart, and
  // waiting for one after the other takes longer than reading them.
  void PrefetchNames(std::span<const uint32_t> names) const;
  // Documents whose title or artist the name is, rising.
  std::span<const uint32_t> title_docs(uint32_t name) const;
  std::span<const uint32_t> artist_docs(uint32_t name) const;
  // Length of the name's vector of n-gram weights.
  float gram_norm(uint32_t name) const { return gram_norms_[name]; }
  // 1 / sqrt(gram_norm), 65535 for the shortest; 0 behind the last name.
  std::span<const uint16_t> gram_scales() const { return gram_scales_; }
  // num_names(), rounded up to a multiple of kTallyBlock.
  size_t padded_names() const { return gram_scales_.size(); }
  const TallyKernels& tally() const { return *tally_; }

  // By document; kNoName where the field is empty. [num_documents]
  std::span<const uint32_t> title_names() const { return title_names_; }
  std::span<const uint32_t> artist_names() const { return artist_names_; }
  std::span<const uint32_t> album_names() const { return album_names_; }

  std::optional<uint32_t> FindGram(Gram gram) const;
  // Names with an n-gram, rising.
  std::span<const uint32_t> gram_names(uint32_t gram) const {
    return gram_names_[gram];
  }
  // The same as bits, [padded_names() / 32], for n-grams so frequent that it
  // takes less memory; null for the others.
  const uint32_t* gram_bitmap(uint32_t gram) const {
    const uint32_t place = bitmap_places_[gram];
    return place == kNoBitmap ? nullptr : &bitmaps_[place];
  }
  // 1 + ln((1 + N) / (1 + df)); of an unknown gram df is 0.
  float GramIdf(size_t num_names_with_gram) const;

 private:
  // Strings in byte order, back to back.
  class StringTable {
   public:
    uint32_t size() const {
      return offsets_.empty() ? 0 : static_cast<uint32_t>(offsets_.size() - 1);
    }
    std::string_view operator[](uint32_t i) const {
      return bytes_.substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
    }
    uint32_t LowerBound(std::string_view text) const;
    IdRange Prefix(std::string_view prefix) const;

    std::span<const uint32_t> offsets_;
    std::string_view bytes_;
  };
  // Lists of ids, back to back.
  struct Lists {
    std::span<const uint32_t> offsets;
    std::span<const uint32_t> ids;
    std::span<const uint32_t> operator[](uint32_t i) const {
      return ids.subspan(offsets[i], offsets[i + 1] - offsets[i]);
    }
  };

  static constexpr uint32_t kNoBitmap = UINT32_MAX;

  LexicalIndex() = default;
  void PrepareGrams();
  absl::Status Read(const Artifact& artifact);
  absl::Status ReadStrings(const Artifact& artifact, const std::string& name,
                           StringTable& table) const;
  absl::Status ReadLists(const Artifact& artifact, const std::string& name,
                         uint32_t num_lists, uint32_t id_bound,
                         Lists& lists) const;
  absl::Status ReadNameColumn(const Artifact& artifact, const std::string& name,
                              std::span<const uint32_t>& column) const;

  std::shared_ptr<const Artifact> artifact_;
  uint32_t num_documents_ = 0;
  StringTable terms_;
  StringTable names_;
  Lists postings_;
  std::span<const uint8_t> impacts_;
  Lists name_terms_;
  Lists title_docs_;
  Lists artist_docs_;
  std::span<const uint32_t> title_names_;
  std::span<const uint32_t> artist_names_;
  std::span<const uint32_t> album_names_;
  std::span<const Gram> grams_;
  Lists gram_names_;
  std::span<const float> gram_norms_;
  const TallyKernels* tally_ = nullptr;
  std::vector<uint16_t> gram_scales_;
  std::vector<uint32_t> bitmap_places_;  // [grams], of the first word
  std::vector<uint32_t> bitmaps_;
};

}  // namespace quaver
