// Tests of query sets: what every kind promises about its rows.
#include "quaver/noise/query_set.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/text/compare.h"
#include "quaver/text/edit_distance.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

// An artist that training leaves out.
std::string HeldOutArtist() {
  for (int i = 0;; ++i) {
    std::string name = fmt::format("Hidden Harbour {}", i);
    if (IsHeldOut(name)) return name;
  }
}

// Made-up names, enough for sets of 200 rows.
SearchTexts MakeTexts() {
  const std::string adjectives[] = {"Broken", "Golden",   "Silent",
                                    "Lonely", "Electric", "Paper"};
  const std::string nouns[] = {"Midnight", "Diamonds", "Paradise",
                               "Symphony", "Highway",  "Mirrors",
                               "Summer",   "Umbrella", "Tomorrow"};
  const std::string artists[] = {"Ása Lindqvist",   "The Copper Foxes",
                                 "Mateo Ruiz",      "D'Arcy & Sons",
                                 "Velvet Machines", HeldOutArtist()};
  SearchTexts texts;
  for (const std::string& adjective : adjectives) {
    for (const std::string& noun : nouns) {
      for (const std::string& artist : artists) {
        texts.tracks.push_back({adjective + " " + noun + " Forever", artist});
      }
      texts.descriptions.push_back(fmt::format(
          "A beautiful {} that we believe in, with the {} guitar of {}, "
          "because every {} needs a different harmony of broken hearts.",
          noun, adjective, noun, adjective));
    }
  }
  texts.tags = {"Christmas", "Broken Beat"};
  return texts;
}

const SearchTexts& Texts() {
  static const SearchTexts& texts = *new SearchTexts(MakeTexts());
  return texts;
}

std::vector<QueryRow> Make(SetKind kind, uint64_t seed = 1) {
  auto rows = MakeQuerySet(kind, Texts(), Noise(), {.rows = 200, .seed = seed});
  EXPECT_TRUE(rows.ok()) << rows.status();
  return rows.ok() ? *rows : std::vector<QueryRow>();
}

class QuerySetTest : public testing::TestWithParam<SetKind> {};

TEST_P(QuerySetTest, RowsAreDistinctReproducibleAndTargetsExist) {
  const auto rows = Make(GetParam());
  ASSERT_EQ(rows.size(), 200u);
  EXPECT_EQ(rows, Make(GetParam()));
  EXPECT_NE(rows, Make(GetParam(), 2));
  std::set<std::string> queries;
  for (const QueryRow& row : rows) {
    EXPECT_TRUE(queries.insert(row.query).second);
    bool found =
        GetParam() == SetKind::kBroad || GetParam() == SetKind::kCleanBroad;
    for (const TrackName& track : Texts().tracks) {
      found |= track.artist == row.artist &&
               (row.title.empty() || track.title == row.title);
    }
    EXPECT_TRUE(found) << row.title << " / " << row.artist;
    EXPECT_EQ(CleanUtf8(row.query), row.query);
  }
}

TEST_P(QuerySetTest, OnlyCleanQueriesAreRight) {
  for (const QueryRow& row : Make(GetParam())) {
    EXPECT_EQ(ComparableText(row.query) == ComparableText(row.corrected),
              IsClean(GetParam()))
        << row.query;
  }
}

INSTANTIATE_TEST_SUITE_P(All, QuerySetTest, testing::ValuesIn(kAllSetKinds),
                         [](const auto& info) {
                           return std::string(Name(info.param));
                         });

TEST(QuerySetKindsTest, WordReplacesOneWordByARealMisspelling) {
  const Misspellings list = Misspellings::Common();
  for (const QueryRow& row : Make(SetKind::kWord)) {
    const auto typed = SplitWords(row.query);
    const auto meant = SplitWords(row.corrected);
    ASSERT_EQ(typed.size(), meant.size());
    int wrong = 0;
    for (size_t i = 0; i < typed.size(); ++i) {
      if (typed[i] == meant[i]) continue;
      ++wrong;
      EXPECT_THAT(list.Of(std::string(meant[i])),
                  testing::Contains(std::string(typed[i])));
    }
    EXPECT_EQ(wrong, 1);
  }
}

TEST(QuerySetKindsTest, ArtistRowsNameNoTitle) {
  for (const QueryRow& row : Make(SetKind::kArtist)) {
    EXPECT_EQ(row.title, "");
  }
}

TEST(QuerySetKindsTest, TouchRowsAreAtMostTwoEditsAway) {
  for (const QueryRow& row : Make(SetKind::kTouch)) {
    // Two slips at one place can cost a third edit in this distance.
    EXPECT_LE(EditPattern(row.corrected).Osa(row.query), 3) << row.query;
  }
}

TEST(QuerySetKindsTest, PrefixRowsStopInsideAWord) {
  for (const SetKind kind : {SetKind::kPrefix, SetKind::kCleanPrefix}) {
    for (const QueryRow& row : Make(kind)) {
      const std::string stop(SplitWords(row.corrected).back());
      const std::string names =
          " " + ComparableText(row.title) + " " + ComparableText(row.artist);
      const size_t at = names.find(" " + ComparableText(stop));
      ASSERT_NE(at, std::string::npos) << row.corrected;
      EXPECT_NE(names[at + 1 + ComparableText(stop).size()], ' ');
    }
  }
}

TEST(QuerySetKindsTest, PartialRowsLeaveSomethingOut) {
  for (const SetKind kind :
       {SetKind::kPartial, SetKind::kUnseenPartial, SetKind::kCleanPartial}) {
    for (const QueryRow& row : Make(kind)) {
      EXPECT_LT(ComparableText(row.corrected).size(),
                ComparableText(row.title + " " + row.artist).size());
    }
  }
}

TEST(QuerySetKindsTest, BroadRowsAreWordsOfADescriptionOrTag) {
  for (const SetKind kind : {SetKind::kBroad, SetKind::kCleanBroad}) {
    for (const QueryRow& row : Make(kind)) {
      EXPECT_EQ(row.artist, "");
      bool found = false;
      for (const std::string& text : Texts().descriptions) {
        found |= ComparableText(text).find(row.corrected) != std::string::npos;
      }
      for (const std::string& tag : Texts().tags) {
        found |= ComparableText(tag) == row.corrected;
      }
      EXPECT_TRUE(found) << row.corrected;
    }
  }
}

TEST(QuerySetKindsTest, UnseenRowsNameArtistsThatAreKeptOut) {
  for (const SetKind kind : {SetKind::kUnseen, SetKind::kUnseenPartial}) {
    for (const QueryRow& row : Make(kind)) {
      EXPECT_TRUE(IsHeldOut(row.artist));
    }
  }
}

TEST(QuerySetKindsTest, PopularTracksAreAskedForMore) {
  const auto& tracks = Texts().tracks;
  const auto rows =
      MakeQuerySet(SetKind::kClean, Texts(), Noise(), {.rows = 40, .seed = 1});
  ASSERT_TRUE(rows.ok());
  int popular = 0;
  for (const QueryRow& row : *rows) {
    for (size_t i = 0; i < tracks.size() / 8; ++i) {
      popular += tracks[i].artist == row.artist && tracks[i].title == row.title;
    }
  }
  EXPECT_GE(popular, 12);  // 20 in the mean; uniform draws would give 5
}

TEST(QuerySetKindsTest, SaysWhenThereIsTooLittle) {
  const SearchTexts one = {.tracks = {{"Hey", "Ho"}}};
  const auto rows =
      MakeQuerySet(SetKind::kWord, one, Noise(), {.rows = 3, .seed = 1});
  EXPECT_EQ(rows.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(rows.status()),
              HasSubstr("0 of 3 rows of the set 'word'"));
  EXPECT_FALSE(MakeQuerySet(SetKind::kClean, {}, Noise(), {}).ok());
}

TEST(QuerySetKindsTest, NamesAreParsed) {
  for (const SetKind kind : kAllSetKinds) {
    EXPECT_EQ(ParseSetKind(Name(kind)).value(), kind);
  }
  EXPECT_THAT(Message(ParseSetKind("wrong").status()), HasSubstr("touch"));
}

}  // namespace
}  // namespace quaver
