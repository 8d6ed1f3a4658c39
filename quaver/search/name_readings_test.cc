// Tests of moving a query onto a name.
#include "quaver/search/internal/name_readings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using ::testing::Contains;
using ::testing::Not;

// Texts of the readings of `raw` as the words of `name`.
std::vector<std::string> Texts(const std::string& raw, const std::string& name,
                               bool all_known = false) {
  const Query query = PrepareQuery(raw);
  const std::string normalized = Normalize(name);
  const std::vector<Typed> known(query.words.size(),
                                 all_known ? Typed::kKnown : Typed::kUnknown);
  std::vector<std::string> texts;
  for (const NameReading& reading :
       ReadAsName(query, ShownWords(query.normalized, query.raw), known,
                  ShownWords(normalized, name))) {
    texts.push_back(reading.shown);
  }
  return texts;
}

TEST(NameReadingsTest, WordsMoveToTheNearest) {
  EXPECT_THAT(Texts("beetles yesterdy ", "Yesterday The Beatles"),
              Contains("beatles yesterday"));
  EXPECT_THAT(Texts("yestarday live beatels ", "Yesterday The Beatles"),
              Contains("yesterday live beatles"));
  EXPECT_THAT(Texts("fone kwean ", "Phone Queen"), Contains("phone queen"));
}

TEST(NameReadingsTest, WordsAreJoinedSplitAndShifted) {
  EXPECT_THAT(Texts("beatit ", "Beat It"), Contains("beat it"));
  EXPECT_THAT(Texts("day dream ", "Daydream"), Contains("daydream"));
  EXPECT_THAT(Texts("dar kside ", "Dark Side"), Contains("dark side"));
  EXPECT_THAT(Texts("house byridda ", "House Rida"), Contains("house by rida"));
  EXPECT_THAT(Texts("housby rida ", "House Rida"), Contains("house by rida"));
}

TEST(NameReadingsTest, AnUnfinishedWordStaysSoAndIsFinished) {
  const auto texts = Texts("beetles yestre", "Yesterday The Beatles");
  EXPECT_THAT(texts, Contains("beatles yester"));
  EXPECT_THAT(Texts("beetles yesterda", "Yesterday The Beatles"),
              Contains("beatles yesterday"));
  EXPECT_THAT(Texts("beetles yestre ", "Yesterday The Beatles"),
              Not(Contains("beatles yester")));
}

TEST(NameReadingsTest, AWordThatIsThereIsNotReadTwice) {
  EXPECT_THAT(Texts("hand in hin ", "Hand In"), Not(Contains("hand in in")));
}

TEST(NameReadingsTest, LettersStayAsTheNameHasThem) {
  EXPECT_THAT(Texts("jazper hoiby ", "Jasper Høiby"), Contains("jasper høiby"));
}

TEST(NameReadingsTest, KnownWordsAreKeptInOneReading) {
  const auto texts = Texts("hay jude ", "Hey Jude", /*all_known=*/true);
  EXPECT_THAT(texts, Contains("hey jude"));
  EXPECT_THAT(texts, Contains("hay jude"));
}

TEST(NameReadingsTest, AnythingMayBeTyped) {
  for (const char* raw : {"a", "†††", "夜に", "\xff\xfe", "👍👍 x"}) {
    for (const char* name : {"", "A", "夜に駆ける YOASOBI", "!!!"}) {
      for (const std::string& text : Texts(raw, name)) {
        EXPECT_EQ(CleanUtf8(text), text);
      }
    }
  }
}

}  // namespace
}  // namespace quaver
