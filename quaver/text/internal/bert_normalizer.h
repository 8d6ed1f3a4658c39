// The normaliser and word splitter of BERT's tokenizer, as a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "quaver/text/internal/utf8.h"

namespace quaver {

struct BertNormalizerConfig {
  bool clean_text = true;            // drop control characters
  bool handle_chinese_chars = true;  // each is a word
  bool strip_accents = true;         // decompose, drop nonspacing marks
  bool lowercase = true;             // one code point at a time
};

// Gives the characters that the crate `tokenizers` 0.22 gives after its
// BertNormalizer, each with the part it plays in its BertPreTokenizer. That
// crate knows categories of Unicode 8, decompositions of 9 and lower case of
// 17; here they are ICU's, limited by the age of the code point. Immutable.
class BertNormalizer {
 public:
  enum class Class : uint8_t {
    kNothing,  // dropped; counts only as a boundary of reordering
    kLetter,   // part of a word
    kSpace,    // ends a word
    kAlone,    // a word of its own: punctuation, Chinese characters
  };

  explicit BertNormalizer(const BertNormalizerConfig& config);

  // Calls emit(code point, class) for each character until it returns false.
  // Invalid bytes are U+FFFD. At most `max_marks` marks in a row are kept.
  template <typename Emit>
  void ForEach(std::string_view utf8, size_t max_marks, const Emit& emit) const;

 private:
  struct Unit {
    char32_t code_point;
    Class category;
    uint8_t combining_class;  // of the canonical ordering; 0 is a boundary
  };

  // The units of a code point: none, one of combining class 0, or a list.
  class Entry {
   public:
    Entry() = default;
    explicit Entry(const Unit& unit)
        : bits_(unit.code_point | static_cast<uint32_t>(unit.category) << 21 |
                kOne) {}
    explicit Entry(size_t list) : bits_(static_cast<uint32_t>(list) | kList) {}
    bool none() const { return bits_ == 0; }
    bool one() const { return (bits_ & kOne) != 0; }
    Unit unit() const;
    size_t list() const { return bits_ & ~kList; }

   private:
    static constexpr uint32_t kOne = 1u << 30;
    static constexpr uint32_t kList = 1u << 31;
    uint32_t bits_ = 0;
  };

  static constexpr char32_t kEnd = 0x20000;  // of the table

  std::vector<Unit> MakeUnits(char32_t code_point) const;
  Unit MakeUnit(char32_t code_point) const;
  Entry MakeEntry(char32_t code_point);
  static void SortMarks(std::vector<Unit>* marks);

  BertNormalizerConfig config_;
  std::vector<Entry> entries_;  // [kEnd]
  std::vector<std::vector<Unit>> lists_;
};

inline BertNormalizer::Unit BertNormalizer::Entry::unit() const {
  return {bits_ & 0x1FFFFF, static_cast<Class>(bits_ >> 21 & 3), 0};
}

template <typename Emit>
void BertNormalizer::ForEach(std::string_view utf8, size_t max_marks,
                             const Emit& emit) const {
  std::vector<Unit> marks;  // kept, waiting for the end of their run
  bool more = true;
  const auto flush = [&] {
    SortMarks(&marks);
    for (const Unit& mark : marks) {
      more = more && emit(mark.code_point, mark.category);
    }
    marks.clear();
  };
  const auto add = [&](const Unit& unit) {
    if (unit.combining_class != 0) {
      if (marks.size() < max_marks) marks.push_back(unit);
      return;
    }
    if (!marks.empty()) [[unlikely]]
      flush();
    if (unit.category == Class::kNothing) return;
    more = more && emit(unit.code_point, unit.category);
  };
  for (size_t i = 0; i < utf8.size() && more;) {
    const char32_t c = NextCodePoint(utf8, &i);
    if (c >= kEnd) {
      for (const Unit& unit : MakeUnits(c)) add(unit);
      continue;
    }
    const Entry entry = entries_[c];
    if (entry.one()) [[likely]] {
      add(entry.unit());
    } else if (!entry.none()) {
      for (const Unit& unit : lists_[entry.list()]) add(unit);
    }
  }
  if (more) flush();
}

}  // namespace quaver
