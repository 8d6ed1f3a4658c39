// Tests of other spellings.
#include "quaver/text/terms.h"

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

TEST(SqueezeTest, JoinsWords) {
  EXPECT_EQ(Squeeze("day dream"), "daydream");
  EXPECT_EQ(Squeeze(""), "");
}

TEST(LightStemTest, FormsOfAWordAgree) {
  for (const auto& forms : std::vector<std::vector<std::string>>{
           {"song", "songs"},
           {"dance", "dances", "danced", "dancing"},
           {"story", "stories"},
           {"run", "runs", "running"},
           {"tell", "tells", "telling"},
           {"miss", "misses", "missed", "missing"},
           {"heat", "heated", "heating"}}) {
    for (const std::string& form : forms) {
      EXPECT_EQ(LightStem(form), LightStem(forms[0])) << form;
    }
  }
}

TEST(LightStemTest, LeavesShortAndForeignWords) {
  for (const char* word : {"", "a", "us", "bus", "sing", "red", "yes", "久石譲",
                           "jesus", "kiss"}) {
    EXPECT_EQ(LightStem(word), word);
  }
  EXPECT_EQ(LightStem("kings"), "king");
}

}  // namespace
}  // namespace quaver
