// What each code point becomes in the normal form, and which are symbols.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quaver {

// What `code_point` becomes: nothing, or code points among which a space
// stands for punctuation, symbols and white space. Folding the result again
// changes nothing. Slow (ICU); FoldTable keeps the results.
std::u32string FoldCodePoint(char32_t code_point);

// The same for a text that has nothing but symbols: they are kept, without
// accents and compatibility variants.
std::u32string FoldSymbol(char32_t code_point);

// True when NFC may join the code point with what precedes it, or move it.
bool MayCompose(char32_t code_point);

// FoldCodePoint for the two planes that hold nearly all text. Immutable.
class FoldTable {
 public:
  static constexpr char32_t kEnd = 0x20000;

  // Built at the first call (about 30 ms), 0.5 MiB, thread-safe.
  static const FoldTable& Get();

  class Entry {
   public:
    Entry() = default;
    Entry(uint32_t value, bool many, bool may_compose)
        : bits_(value | uint32_t{many} << 30 | uint32_t{may_compose} << 31) {}
    bool empty() const { return bits_ == 0; }
    bool many() const { return bits_ >> 30 & 1; }
    bool may_compose() const { return bits_ >> 31 != 0; }
    // The code point, or for many() what Expansion() takes.
    uint32_t value() const { return bits_ & 0x3FFFFFFF; }

   private:
    uint32_t bits_ = 0;
  };

  // REQUIRES: code_point < kEnd.
  Entry Find(char32_t code_point) const { return entries_[code_point]; }
  std::u32string_view Expansion(Entry entry) const {
    return expansions_[entry.value()];
  }

 private:
  FoldTable();
  Entry MakeEntry(char32_t code_point);
  std::vector<Entry> entries_;  // [kEnd]
  std::vector<std::u32string> expansions_;
};

}  // namespace quaver
