// Bit-parallel edit distances; plain tables when both sides are long.
#include "quaver/text/edit_distance.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "quaver/text/internal/utf8.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr int kWordBits = 64;

// The last three rows of the table are enough for a swap.
int PlainOsa(std::u32string_view a, std::u32string_view b) {
  std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int differs = a[i - 1] != b[j - 1];
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + differs});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

int PlainLcs(std::u32string_view a, std::u32string_view b) {
  std::vector<int> last(b.size() + 1), row(b.size() + 1);
  for (const char32_t c : a) {
    last.swap(row);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = c == b[j - 1] ? last[j - 1] + 1 : std::max(last[j], row[j - 1]);
    }
  }
  return row[b.size()];
}

}  // namespace

EditPattern::EditPattern(std::string_view utf8)
    : length_(CodePointCount(utf8)), ascii_masks_{} {
  if (length_ > kWordBits) {
    utf8_ = utf8;
    return;
  }
  uint64_t bit = 1;
  for (size_t i = 0; i < utf8.size(); bit <<= 1) {
    AddMask(NextCodePoint(utf8, &i), bit);
  }
}

void EditPattern::AddMask(char32_t code_point, uint64_t bit) {
  if (code_point < ascii_masks_.size()) {
    ascii_masks_[code_point] |= bit;
    return;
  }
  const auto at = std::lower_bound(other_masks_.begin(), other_masks_.end(),
                                   std::pair{code_point, uint64_t{0}});
  if (at != other_masks_.end() && at->first == code_point) {
    at->second |= bit;
  } else {
    other_masks_.insert(at, {code_point, bit});
  }
}

uint64_t EditPattern::OtherMask(char32_t code_point) const {
  const auto at = std::lower_bound(other_masks_.begin(), other_masks_.end(),
                                   std::pair{code_point, uint64_t{0}});
  const bool found = at != other_masks_.end() && at->first == code_point;
  return found ? at->second : 0;
}

template <typename Step>
int EditPattern::ForEachMask(std::string_view utf8, const Step& step) const {
  int length = 0;
  for (size_t i = 0; i < utf8.size(); ++length) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < ascii_masks_.size()) [[likely]] {
      step(ascii_masks_[byte]);
      ++i;
    } else {
      step(OtherMask(NextCodePoint(utf8, &i)));
    }
  }
  return length;
}

int EditPattern::Osa(std::string_view utf8) const {
  if (length_ > kWordBits) {  // the distance is symmetric
    const EditPattern other(utf8);
    return other.length_ > kWordBits
               ? PlainOsa(ToCodePoints(utf8_), ToCodePoints(utf8))
               : other.Osa(utf8_);
  }
  if (length_ == 0) return CodePointCount(utf8);
  // Row i of a column of the table is bit i: `up` where the cell below is one
  // more, `down` where it is one less, `zero` where the diagonal step is free.
  uint64_t up = ~uint64_t{0}, down = 0, zero = 0, last_match = 0;
  const int last_row = length_ - 1;
  int distance = length_;
  ForEachMask(utf8, [&](uint64_t match) {
    const uint64_t swap = ((~zero & match) << 1) & last_match;
    zero = (((match & up) + up) ^ up) | match | down | swap;
    const uint64_t right_up = down | ~(zero | up);
    const uint64_t right_down = zero & up;
    distance += static_cast<int>(right_up >> last_row & 1) -
                static_cast<int>(right_down >> last_row & 1);
    const uint64_t shifted = right_up << 1 | 1;
    up = right_down << 1 | ~(zero | shifted);
    down = shifted & zero;
    last_match = match;
  });
  return distance;
}

int EditPattern::Indel(std::string_view utf8) const {
  if (length_ > kWordBits) {
    const EditPattern other(utf8);
    if (other.length_ <= kWordBits) return other.Indel(utf8_);
    const int lcs = PlainLcs(ToCodePoints(utf8_), ToCodePoints(utf8));
    return length_ + other.length_ - 2 * lcs;
  }
  // A zero bit is a row at which the longest common subsequence grows.
  uint64_t grows_not = ~uint64_t{0};
  const int length = ForEachMask(utf8, [&](uint64_t match) {
    const uint64_t both = grows_not & match;
    grows_not = (grows_not + both) | (grows_not - both);
  });
  // Rows past the pattern match nothing and stay set.
  return length_ + length - 2 * std::popcount(~grows_not);
}

double OsaSimilarity(const EditPattern& pattern, std::string_view utf8) {
  const int longer = std::max(pattern.length(), CodePointCount(utf8));
  return longer == 0 ? 1 : 1 - static_cast<double>(pattern.Osa(utf8)) / longer;
}

double IndelSimilarity(const EditPattern& pattern, std::string_view utf8) {
  const int total = pattern.length() + CodePointCount(utf8);
  return total == 0 ? 1 : 1 - static_cast<double>(pattern.Indel(utf8)) / total;
}

// A byte that continues a character has its highest bit set and the next one
// clear; eight bytes are looked at together.
int CodePointCount(std::string_view utf8) {
  constexpr uint64_t kLowBits = 0x0101010101010101;
  size_t continued = 0, i = 0;
  for (; i + 8 <= utf8.size(); i += 8) {
    uint64_t bytes;
    std::memcpy(&bytes, utf8.data() + i, 8);
    continued += static_cast<size_t>(
        std::popcount((bytes >> 7) & ~(bytes >> 6) & kLowBits));
  }
  for (; i < utf8.size(); ++i) continued += (utf8[i] & 0xC0) == 0x80;
  return static_cast<int>(utf8.size() - continued);
}

}  // namespace quaver
