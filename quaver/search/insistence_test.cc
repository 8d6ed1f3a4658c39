// Tests of what a person insists on.
#include "quaver/search/internal/insistence.h"

#include <gtest/gtest.h>

namespace quaver {
namespace {

TEST(InsistenceTest, QuotedWordsStay) {
  for (const char* raw :
       {"\"hey jood\" beatels", "“hey jood” beatels", "beatels «hey jood»"}) {
    const Insistence insistence(raw);
    EXPECT_TRUE(insistence.Allows("hey jood beatles")) << raw;
    EXPECT_FALSE(insistence.Allows("hey jude beatles")) << raw;
  }
  EXPECT_TRUE(Insistence("hey \"jood").Allows("hey jude"));  // never closed
}

TEST(InsistenceTest, WordsWrittenSoOnPurposeAreDoubted) {
  for (const char* raw : {"Ke$ha", "P!nk", "CHVRCHES", "MGMT", "Sunn O)))",
                          "songs by HVOB", "A$AP rocky"}) {
    EXPECT_TRUE(Insistence(raw).Doubts("something else")) << raw;
  }
  EXPECT_FALSE(Insistence("CHVRCHES").Doubts("chvrches live"));
  for (const char* raw : {"ABBA", "HEY JUDE", "hey jude!!", "don't stop",
                          "rock'n'roll", "what?"}) {
    EXPECT_FALSE(Insistence(raw).Doubts("something else")) << raw;
  }
}

}  // namespace
}  // namespace quaver
