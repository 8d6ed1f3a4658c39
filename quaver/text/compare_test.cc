// Tests of comparable texts: against Python's answers, and by hand.
#include "quaver/text/compare.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quaver {
namespace {

TEST(CompareTest, EqualsPythonOnManyScripts) {
  std::ifstream file(QUAVER_SOURCE_DIR "/tests/golden/comparable.tsv");
  ASSERT_TRUE(file.is_open());
  int rows = 0;
  for (std::string line; std::getline(file, line); ++rows) {
    const size_t tab = line.find('\t');
    ASSERT_NE(tab, std::string::npos);
    const std::string text = nlohmann::json::parse(line.substr(0, tab));
    const std::string expected = nlohmann::json::parse(line.substr(tab + 1));
    EXPECT_EQ(ComparableText(text), expected) << line;
    EXPECT_EQ(ComparableText(expected), expected) << line;
  }
  EXPECT_EQ(rows, 1200);
}

TEST(CompareTest, DropsWhatPeopleLeaveOut) {
  EXPECT_EQ(ComparableText("  Don’t  Stop (Beyoncé) "), "dont stop beyonce");
  EXPECT_EQ(ComparableText("AC/DC - T.N.T."), "ac dc t n t");
  EXPECT_EQ(ComparableText("!!!"), "");
  EXPECT_EQ(ComparableText(""), "");
}

TEST(CompareTest, InvalidBytesBecomeSpaces) {
  EXPECT_EQ(ComparableText("a\xff\xfe\x80z"), "a z");
  EXPECT_EQ(ComparableText(std::string_view("a\0b", 3)), "a b");
}

TEST(CompareTest, LowerCaseKeepsAccentsAndPunctuation) {
  EXPECT_EQ(LowerCase("Cette Année-LÀ"), "cette année-là");
  EXPECT_EQ(LowerCase("ΟΔΟΣ"), "οδος");
}

TEST(CompareTest, WordCharactersArePythons) {
  for (const char32_t c : std::u32string(U"aZ9_éß五²")) {
    EXPECT_TRUE(IsWordCharacter(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : std::u32string(U" -'!🎵\u0301")) {
    EXPECT_FALSE(IsWordCharacter(c)) << static_cast<uint32_t>(c);
  }
}

}  // namespace
}  // namespace quaver
