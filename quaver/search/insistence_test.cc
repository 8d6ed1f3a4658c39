// Tests of what a person insists on.
#include "quaver/search/internal/insistence.h"

#include <gtest/gtest.h>

#include "quaver/index/segment.h"

namespace quaver {
namespace {

// A catalogue of these artists.
Snapshot Catalogue(const std::vector<std::string>& artists) {
  SegmentBuilder builder({.dimension = 0, .vectors = {}});
  for (const std::string& artist : artists) {
    Document document{.id = artist};
    document.title = "Song";
    document.artist = artist;
    EXPECT_TRUE(builder.Add(std::move(document)).ok());
  }
  auto artifact = Artifact::FromBytes(builder.Finish().value().Serialize(),
                                      kSegmentFormat, kSegmentVersion);
  Snapshot snapshot;
  snapshot.segments.push_back(
      {Segment::FromArtifact(*artifact, BestKernels()).value(), nullptr});
  return snapshot;
}

TEST(InsistenceTest, QuotedWordsStay) {
  for (const char* raw :
       {"\"hey jood\" beatels", "“hey jood” beatels", "beatels «hey jood»"}) {
    const Insistence insistence(raw, {});
    EXPECT_TRUE(insistence.Allows("hey jood beatles")) << raw;
    EXPECT_FALSE(insistence.Allows("hey jude beatles")) << raw;
  }
  EXPECT_TRUE(Insistence("hey \"jood", {}).Allows("hey jude"));  // never closed
}

TEST(InsistenceTest, WordsWrittenSoOnPurposeAreDoubted) {
  for (const char* raw : {"Ke$ha", "P!nk", "CHVRCHES", "MGMT", "6LACK",
                          "Sunn O)))", "songs by HVOB", "A$AP rocky", "fun."}) {
    EXPECT_TRUE(Insistence(raw, {}).Doubts("something else")) << raw;
  }
  EXPECT_FALSE(Insistence("CHVRCHES", {}).Doubts("chvrches live"));
  for (const char* raw : {"ABBA", "HEY JUDE", "hey jude!!", "don't stop",
                          "rock'n'roll", "what?", "mr. jones", "ok. jude."}) {
    EXPECT_FALSE(Insistence(raw, {}).Doubts("something else")) << raw;
  }
}

TEST(InsistenceTest, NamesOfTheCatalogueWithTheirSignsStay) {
  const Snapshot snapshot =
      Catalogue({"Ke$ha", "alt-J", "clipping.", "A$AP Rocky", "Mr Jones", "-"});
  const auto allows = [&](const char* raw, const char* text) {
    return Insistence(raw, snapshot).Allows(text);
  };
  EXPECT_FALSE(allows("Ke$ha tik tokk", "kesha tik tok"));
  EXPECT_TRUE(allows("Ke$ha tik tokk", "ke ha tik tok"));
  EXPECT_FALSE(allows("breezblocks ALT-J", "breezeblocks alt"));
  EXPECT_FALSE(allows("clipping. blod", "clippin blood"));
  EXPECT_FALSE(allows("a$ap rocky", "a ap rocks"));
  EXPECT_TRUE(Insistence("Ke$ha tik", snapshot).IsFixed("ha"));
  EXPECT_FALSE(Insistence("Ke$ha tik", snapshot).IsFixed("tik"));
  // Written otherwise, or without words.
  EXPECT_TRUE(allows("clipping blod", "clippin blood"));
  EXPECT_TRUE(allows("mr. jones", "mister jones"));
  EXPECT_TRUE(allows("beetles - help", "beatles help"));
}

TEST(InsistenceTest, BracketsThatNothingOpensHoldTheNameTogether) {
  EXPECT_FALSE(Insistence("Sunn O)))", {}).Allows("sun no"));
  EXPECT_FALSE(Insistence("monolits Sunn O)))", {}).Allows("monoliths sun o"));
  EXPECT_TRUE(Insistence("monolits Sunn O)))", {}).Allows("monoliths sunn o"));
  EXPECT_FALSE(Insistence("O))) monolits", {}).Allows("monoliths"));
  for (const char* raw : {"sumer (rmx (live))", "sumer :))", "sumer ((x))"}) {
    EXPECT_TRUE(Insistence(raw, {}).Allows("summer")) << raw;
  }
}

}  // namespace
}  // namespace quaver
