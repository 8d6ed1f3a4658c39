// Terms near a word against a comparison with every term.
#include "quaver/index/near_terms.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/index/segment.h"
#include "quaver/text/edit_distance.h"

namespace quaver {
namespace {

std::shared_ptr<const Segment> WithTitles(
    const std::vector<std::string>& titles) {
  SegmentBuilder builder({.dimension = 0, .vectors = {}});
  for (size_t i = 0; i < titles.size(); ++i) {
    Document document{.id = std::to_string(i)};
    document.title = titles[i];
    EXPECT_TRUE(builder.Add(std::move(document)).ok());
  }
  auto artifact = Artifact::FromBytes(builder.Finish().value().Serialize(),
                                      kSegmentFormat, kSegmentVersion);
  return Segment::FromArtifact(*artifact, BestKernels()).value();
}

// Of few letters, so that many share a beginning.
std::string RandomWord(Random& random) {
  std::string word;
  for (uint64_t n = 1 + random.Below(8); n > 0; --n) {
    word += "abcde"[random.Below(5)];
  }
  return word;
}

using Found = std::vector<std::pair<std::string, int>>;

Found Near(const LexicalIndex& lexical, std::string_view word, int max_edits) {
  Found found;
  for (const auto& [term, edits] : NearTerms(lexical, word, max_edits)) {
    found.emplace_back(lexical.term(term), edits);
  }
  return found;
}

Found NearByAll(const LexicalIndex& lexical, std::string_view word,
                int max_edits) {
  const EditPattern pattern(word);
  Found found;
  for (uint32_t term = 0; term < lexical.num_terms(); ++term) {
    const int edits = pattern.Osa(lexical.term(term));
    if (edits <= max_edits) found.emplace_back(lexical.term(term), edits);
  }
  return found;
}

TEST(NearTermsTest, AreThoseOfAComparisonWithAll) {
  Random random(6);
  std::vector<std::string> titles;
  for (int i = 0; i < 3500; ++i) titles.push_back(RandomWord(random));
  for (const size_t length : {60, 63, 64, 65, 66, 67, 200}) {
    titles.emplace_back(length, 'a');
    titles.push_back(std::string(length, 'b') + "c");
  }
  const auto segment = WithTitles(titles);
  const LexicalIndex& lexical = segment->lexical();
  ASSERT_GT(lexical.num_terms(), 1500u);
  std::vector<std::string> words = {"a",
                                    "zzz",
                                    "ab",
                                    "ba",
                                    std::string(62, 'a'),
                                    std::string(64, 'a'),
                                    std::string(64, 'b'),
                                    std::string(62, 'b') + "cb"};
  for (uint32_t term = 0; term < lexical.num_terms(); term += 25) {
    words.emplace_back(lexical.term(term));
  }
  for (int i = 0; i < 60; ++i) words.push_back(RandomWord(random));
  size_t found = 0;
  for (const std::string& word : words) {
    for (const int max_edits : {0, 1, 2}) {
      const Found near = Near(lexical, word, max_edits);
      EXPECT_EQ(near, NearByAll(lexical, word, max_edits))
          << word << " " << max_edits;
      found += near.size();
    }
  }
  EXPECT_GT(found, words.size());
}

TEST(NearTermsTest, EmptyAndLongWordsAreNearNothing) {
  const auto segment = WithTitles({"a", std::string(64, 'a')});
  EXPECT_TRUE(NearTerms(segment->lexical(), "", 2).empty());
  EXPECT_TRUE(NearTerms(segment->lexical(), std::string(65, 'a'), 2).empty());
  const auto none = WithTitles({});
  EXPECT_TRUE(NearTerms(none->lexical(), "a", 2).empty());
}

TEST(NearTermsTest, CountsBytes) {
  const auto segment = WithTitles({"мир", "мыр", "пир"});
  EXPECT_EQ(Near(segment->lexical(), "мир", 1),
            (Found{{"мир", 0}, {"пир", 1}}));
  EXPECT_EQ(Near(segment->lexical(), "мир", 2),
            (Found{{"мир", 0}, {"мыр", 2}, {"пир", 1}}));
}

}  // namespace
}  // namespace quaver
