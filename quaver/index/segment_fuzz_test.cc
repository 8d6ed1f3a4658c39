// Damaged segments and manifests: what the fuzzers of this room try, replayed.
#include "quaver/index/internal/segment_fuzz.h"

#include <filesystem>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/index/internal/manifest_fuzz.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

constexpr uint8_t kOverwrite = 0, kCut = 1, kDrop = 4;

// An edit of the tensor of that name.
std::string EditOf(const std::string& tensor, uint8_t operation,
                   uint16_t offset = 0, uint32_t value = 0) {
  const EditedTensors& tensors = ValidSegmentTensors();
  const auto number = std::distance(tensors.begin(), tensors.find(tensor));
  return EditBytes(static_cast<uint8_t>(number), operation, offset, value);
}

TEST(EditedSegmentTest, ValidIsAccepted) {
  EXPECT_EQ(CheckEditedSegment(""), "");
  EXPECT_GE(ValidSegmentTensors().size(), 40u);
}

TEST(EditedSegmentTest, DroppedTensorsAreNamed) {
  for (const auto& [name, tensor] : ValidSegmentTensors()) {
    EXPECT_THAT(CheckEditedSegment(EditOf(name, kDrop)), HasSubstr(name));
  }
}

// Where two lengths do not fit, the one that is read last is named.
TEST(EditedSegmentTest, CutTensorsAreRefused) {
  const std::map<std::string, std::string> named_instead = {
      {"genres.bytes", "genres.offsets"},
      {"lexical.artist_docs.ids", "lexical.artist_docs.offsets"},
      {"lexical.gram_names.ids", "lexical.gram_names.offsets"},
      {"lexical.grams", "lexical.gram_names.offsets"},
      {"lexical.name_terms.ids", "lexical.name_terms.offsets"},
      {"lexical.names.bytes", "lexical.names.offsets"},
      {"lexical.postings.ids", "lexical.postings.offsets"},
      {"lexical.terms.bytes", "lexical.terms.offsets"},
      {"lexical.title_docs.ids", "lexical.title_docs.offsets"},
      {"strings.bytes", "strings.offsets"},
      {"types", "years"},
      {"vector.centroids", "vector.starts"},
      {"vector.rerank", "vector.items"},
      {"vector.slots", "vector.items"}};
  for (const auto& [name, tensor] : ValidSegmentTensors()) {
    const auto other = named_instead.find(name);
    EXPECT_THAT(CheckEditedSegment(EditOf(name, kCut, 0, 1)),
                HasSubstr(other == named_instead.end() ? name : other->second));
  }
}

TEST(EditedSegmentTest, NumbersOutOfRangeAreNamed) {
  constexpr uint32_t kNan = 0x7FC00000, kHuge = 0x7FFFFFFF;
  const std::vector<std::string> ids = {"genre_ids",
                                        "genres.offsets",
                                        "id_order",
                                        "lexical.album_names",
                                        "lexical.artist_docs.ids",
                                        "lexical.artist_docs.offsets",
                                        "lexical.artist_names",
                                        "lexical.gram_names.ids",
                                        "lexical.gram_names.offsets",
                                        "lexical.grams",
                                        "lexical.name_terms.ids",
                                        "lexical.name_terms.offsets",
                                        "lexical.names.offsets",
                                        "lexical.postings.ids",
                                        "lexical.postings.offsets",
                                        "lexical.terms.offsets",
                                        "lexical.title_docs.ids",
                                        "lexical.title_docs.offsets",
                                        "lexical.title_names",
                                        "strings.offsets",
                                        "texts",
                                        "types",
                                        "vector.items",
                                        "vector.starts"};
  for (const std::string& name : ids) {
    EXPECT_THAT(CheckEditedSegment(EditOf(name, kOverwrite, 1, kHuge)),
                HasSubstr(name));
  }
  for (const char* name :
       {"lexical.gram_norms", "popularity", "vector.centroids",
        "vector.factors", "vector.scales"}) {
    EXPECT_THAT(CheckEditedSegment(EditOf(name, kOverwrite, 1, kNan)),
                HasSubstr(name));
  }
}

TEST(EditedSegmentTest, RandomEditsDoNoHarm) {
  constexpr int kRounds = 600;
  Random random(1);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string edits;
    for (uint64_t i = 0; i <= random.Below(3); ++i) {
      // Mostly small numbers in place of others: they may pass for ids.
      const auto operation = random.Chance(0.8) ? kOverwrite : random.Below(5);
      const uint64_t value =
          random.Chance(0.8) ? random.Below(40) : random.Next();
      edits += EditBytes(
          static_cast<uint8_t>(random.Next()), static_cast<uint8_t>(operation),
          static_cast<uint16_t>(random.Next()), static_cast<uint32_t>(value));
    }
    accepted += CheckEditedSegment(edits).empty();
  }
  EXPECT_GT(accepted, kRounds / 10);
  EXPECT_LT(accepted, kRounds);
}

// How many files were replayed.
int Replay(const std::string& name, std::string (*check)(std::string_view)) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           QUAVER_SOURCE_DIR "/tests/corpora/" + name)) {
    SCOPED_TRACE(entry.path().string());
    check(ReadFile(entry.path().string()).value());
    ++count;
  }
  return count;
}

TEST(CorpusTest, Segments) {
  EXPECT_GE(Replay("segment_fuzz", CheckEditedSegment), 5);
}

TEST(CorpusTest, Manifests) {
  EXPECT_GE(Replay("manifest_fuzz", CheckManifest), 5);
}

}  // namespace
}  // namespace quaver
