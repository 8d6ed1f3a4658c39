// Tests of the edit distances, against the whole table.
#include "quaver/text/edit_distance.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using Table = std::vector<std::vector<int>>;

int TableOsa(const std::u32string& a, const std::u32string& b) {
  Table d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<int>(i + j);
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1,
                          d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

int TableIndel(const std::u32string& a, const std::u32string& b) {
  Table d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<int>(i + j);
      } else if (a[i - 1] == b[j - 1]) {
        d[i][j] = d[i - 1][j - 1];
      } else {
        d[i][j] = 1 + std::min(d[i - 1][j], d[i][j - 1]);
      }
    }
  }
  return d[a.size()][b.size()];
}

// A small alphabet, so that letters match often.
std::u32string RandomText(Random* random, size_t length, bool ascii) {
  static constexpr char32_t kAscii[] = U"abcd ";
  static constexpr char32_t kMixed[] = U"abéж한😀";
  std::u32string text;
  for (size_t i = 0; i < length; ++i) {
    text.push_back(ascii ? kAscii[random->Below(5)] : kMixed[random->Below(6)]);
  }
  return text;
}

// Swaps, drops, doubles and replaces a few letters.
std::u32string Misspell(Random* random, std::u32string text) {
  for (uint64_t edits = random->Below(6); edits > 0 && text.size() > 1;
       --edits) {
    const size_t at = random->Below(text.size() - 1);
    switch (random->Below(4)) {
      case 0:
        std::swap(text[at], text[at + 1]);
        break;
      case 1:
        text.erase(at, 1);
        break;
      case 2:
        text.insert(at, 1, text[at]);
        break;
      default:
        text[at] = U'x';
    }
  }
  return text;
}

void ExpectBothAgree(const std::u32string& a, const std::u32string& b) {
  const EditPattern pattern(ToUtf8(a));
  const std::string text = ToUtf8(b);
  ASSERT_EQ(pattern.length(), static_cast<int>(a.size()));
  ASSERT_EQ(pattern.Osa(text), TableOsa(a, b)) << ToUtf8(a) << "|" << text;
  ASSERT_EQ(pattern.Indel(text), TableIndel(a, b)) << ToUtf8(a) << "|" << text;
}

constexpr size_t kSizes[] = {0, 1, 2, 7, 8, 25, 63, 64, 65, 130};

TEST(EditDistanceTest, AgreesWithTheTableOnRandomTexts) {
  Random random(1);
  for (const size_t left : kSizes) {
    for (const size_t right : kSizes) {
      for (int round = 0; round < 12; ++round) {
        const std::u32string a = RandomText(&random, left, round % 3 == 0);
        const std::u32string b = RandomText(&random, right, round % 2 == 0);
        ASSERT_NO_FATAL_FAILURE(ExpectBothAgree(a, b));
      }
    }
  }
}

TEST(EditDistanceTest, AgreesWithTheTableOnMisspellings) {
  Random random(2);
  for (int i = 0; i < 5'000; ++i) {
    const std::u32string a =
        RandomText(&random, kSizes[random.Below(10)], i % 2 == 0);
    ASSERT_NO_FATAL_FAILURE(ExpectBothAgree(a, Misspell(&random, a)));
  }
}

TEST(EditDistanceTest, KnownDistances) {
  EXPECT_EQ(EditPattern("ca").Osa("abc"), 3);  // 2 in full Damerau
  EXPECT_EQ(EditPattern("teh").Osa("the"), 1);
  EXPECT_EQ(EditPattern("teh").Indel("the"), 2);
  EXPECT_EQ(EditPattern("жуков").Osa("жков"), 1);
}

TEST(EditDistanceTest, SimilaritiesLieBetweenZeroAndOne) {
  EXPECT_EQ(OsaSimilarity(EditPattern(""), ""), 1);
  EXPECT_EQ(IndelSimilarity(EditPattern(""), ""), 1);
  EXPECT_EQ(OsaSimilarity(EditPattern("ab"), "xyz"), 0);
  EXPECT_EQ(IndelSimilarity(EditPattern("ab"), ""), 0);
  EXPECT_DOUBLE_EQ(OsaSimilarity(EditPattern("teh"), "the"), 1 - 1 / 3.);
  EXPECT_DOUBLE_EQ(IndelSimilarity(EditPattern("teh"), "the"), 1 - 2 / 6.);
}

TEST(CodePointCountTest, CountsCodePoints) {
  EXPECT_EQ(CodePointCount(""), 0);
  EXPECT_EQ(CodePointCount("aé한😀"), 4);
  for (int repeats = 1; repeats < 20; ++repeats) {
    std::string text;
    for (int i = 0; i < repeats; ++i) text += "xé한";
    EXPECT_EQ(CodePointCount(text), 3 * repeats);
    EXPECT_EQ(CodePointCount(text + "😀"), 3 * repeats + 1);
  }
}

}  // namespace
}  // namespace quaver
