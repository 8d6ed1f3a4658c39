// Tests of the parts that a correction changes.
#include "quaver/search/internal/spans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SpansTest, RunsOfWords) {
  EXPECT_THAT(DiffSpans("hey jude", "hey jude"), IsEmpty());
  EXPECT_THAT(DiffSpans("Hay jude", "hey jude"),
              ElementsAre(CorrectionSpan{0, 3, "hey"}));
  EXPECT_THAT(DiffSpans("the beetels helpp", "the beatles help"),
              ElementsAre(CorrectionSpan{4, 17, "beatles help"}));
  EXPECT_THAT(DiffSpans("beetels and helpp", "beatles and help"),
              ElementsAre(CorrectionSpan{0, 7, "beatles"},
                          CorrectionSpan{12, 17, "help"}));
}

TEST(SpansTest, WordsMoreAndFewer) {
  EXPECT_THAT(DiffSpans("beatit now", "beat it now"),
              ElementsAre(CorrectionSpan{0, 6, "beat it"}));
  EXPECT_THAT(DiffSpans("day dream now", "daydream now"),
              ElementsAre(CorrectionSpan{0, 9, "daydream"}));
  EXPECT_THAT(DiffSpans("hey", "hey jude"),
              ElementsAre(CorrectionSpan{3, 3, "jude"}));
  EXPECT_THAT(DiffSpans("hey you", "hey"),
              ElementsAre(CorrectionSpan{4, 7, ""}));
}

TEST(SpansTest, OffsetsAreOfTheBytesTyped) {
  EXPECT_THAT(DiffSpans("Beyonsé — déja vu", "beyonce deja vu"),
              ElementsAre(CorrectionSpan{0, 8, "beyonce"}));
}

TEST(SpansTest, WordsThatAreNotChangedStayAsTyped) {
  const auto mended = [](const char* raw, const char* text) {
    return ApplySpans(raw, DiffSpans(raw, text));
  };
  EXPECT_EQ(mended("Ke$ha tik tokk", "ke ha tik tok"), "Ke$ha tik tok");
  EXPECT_EQ(mended("††† bitchs  brew ", "bitches brew"), "††† bitches brew");
  EXPECT_EQ(mended("Sunn O))) lyfe!", "sunn o life"), "Sunn O))) life");
  EXPECT_EQ(mended("Beyoncé helo", "beyonce hey hello"), "Beyoncé hey hello");
  EXPECT_EQ(mended("hey", "hey jude"), "hey jude");
  EXPECT_EQ(mended("hey jude", "oh hey jude"), "oh hey jude");
  EXPECT_EQ(mended("hey the jude", "hey jude"), "hey jude");
  EXPECT_EQ(mended("", ""), "");
}

}  // namespace
}  // namespace quaver
