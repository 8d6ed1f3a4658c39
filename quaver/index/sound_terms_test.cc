// Tests of terms by sound.
#include "quaver/index/sound_terms.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/index/segment.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::shared_ptr<const Segment> WithTitles(
    const std::vector<std::string>& titles) {
  SegmentBuilder builder({.dimension = 0, .vectors = {}});
  for (size_t i = 0; i < titles.size(); ++i) {
    Document document{
        .type = 0, .id = fmt::format("track:{}", i), .title = titles[i]};
    EXPECT_TRUE(builder.Add(std::move(document)).ok());
  }
  auto artifact = Artifact::FromBytes(builder.Finish().value().Serialize(),
                                      kSegmentFormat, kSegmentVersion);
  return Segment::FromArtifact(*artifact, BestKernels()).value();
}

std::vector<std::string> Alike(const Segment& segment, std::string_view word,
                               size_t limit = 10) {
  std::vector<std::string> words;
  for (const uint32_t term : segment.sounds().Alike(word, limit)) {
    words.emplace_back(segment.lexical().term(term));
  }
  return words;
}

TEST(SoundTermsTest, FarInLettersAndNearInSound) {
  const auto segment =
      WithTitles({"photograph", "quick silver", "night rider", "silverware"});
  EXPECT_THAT(Alike(*segment, "fotograf"), ElementsAre("photograph"));
  EXPECT_THAT(Alike(*segment, "kwik"), ElementsAre("quick"));
  EXPECT_THAT(Alike(*segment, "nite"), ElementsAre("night"));
  EXPECT_THAT(Alike(*segment, "silver"), ElementsAre("silver"));
  EXPECT_THAT(Alike(*segment, "gold"), IsEmpty());
}

TEST(SoundTermsTest, MostDocumentsFirst) {
  const auto segment =
      WithTitles({"knight one", "night one", "night two", "night three",
                  "knight two", "nite one", "day one"});
  EXPECT_THAT(Alike(*segment, "nite"), ElementsAre("night", "knight", "nite"));
  EXPECT_THAT(Alike(*segment, "nite", 2), SizeIs(2));
  EXPECT_THAT(Alike(*segment, "nite", 0), IsEmpty());
}

TEST(SoundTermsTest, AnyWordIsAnswered) {
  const auto segment = WithTitles({"you", "oh", "久石譲", "†††"});
  EXPECT_THAT(Alike(*segment, ""), IsEmpty());
  EXPECT_THAT(Alike(*segment, "you"), IsEmpty());  // one sound says too little
  EXPECT_THAT(Alike(*segment, "久石譲"), ElementsAre("久石譲"));
  EXPECT_THAT(Alike(*WithTitles({}), "you"), IsEmpty());
}

}  // namespace
}  // namespace quaver
