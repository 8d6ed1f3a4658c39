// Tests of success, latency and suggestion figures on made answers.
#include "quaver/eval/search_eval.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/eval/broad_eval.h"
#include "quaver/eval/suggest_eval.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

Hit Track(const std::string& title, const std::string& artist,
          const std::string& genre = "") {
  Hit hit;
  hit.type = EntityType::kTrack;
  hit.title = title;
  hit.artist = artist;
  hit.genre = genre;
  return hit;
}

SearchResponse Answer(std::vector<Hit> tracks) {
  SearchResponse response;
  Hit artist;
  artist.type = EntityType::kArtist;
  artist.title = "Adele";
  response.sections.push_back({EntityType::kArtist, 1, {artist}});
  response.sections.push_back({EntityType::kTrack, 0, std::move(tracks)});
  response.timing_us = {{"retrieve", 10}, {"total", 30}};
  return response;
}

TEST(TargetRankTest, ComparesTextAsPublishedFiguresDo) {
  const SearchResponse answer =
      Answer({Track("Hello", "Evanescence"), Track("Héllo!", "ADELE")});
  EXPECT_EQ(TargetRank({"", "", "hello", "Adele"}, answer), 2);
  EXPECT_EQ(TargetRank({"", "", "", "evanescence"}, answer), 1);
  EXPECT_EQ(TargetRank({"", "", "Hell", "Adele"}, answer), 0);
  EXPECT_EQ(TargetRank({"", "", "x", "y"}, SearchResponse()), 0);
}

TEST(TargetRankTest, OnlyTenTracksCount) {
  std::vector<Hit> tracks(10, Track("Other", "X"));
  tracks.push_back(Track("Mine", "Me"));
  EXPECT_EQ(TargetRank({"", "", "Mine", "Me"}, Answer(tracks)), 0);
}

TEST(SearchEvalTest, CountsByHand) {
  const QuerySet set = {"touch",
                        {{"helo", "hello", "Hello", "Adele"},
                         {"skyfal", "skyfall", "Skyfall", "Adele"},
                         {"lost", "lost", "Lost", "Nobody"},
                         {"left out", "left out", "a", "b"}}};
  int calls = 0;
  const SearchVariant variant = {
      "do nothing",
      [&](const std::string& query) -> absl::StatusOr<SearchResponse> {
        SearchResponse answer =
            Answer({Track("Hello", "Adele"), Track("Skyfall", "Adele")});
        answer.query = query;
        answer.timing_us = {{"total", ++calls * 100}};
        return answer;
      }};
  const auto report =
      RunSearchEval({set}, {variant}, {.max_rows = 3, .max_misses = 1});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->figures.size(), 1u);
  const SearchFigures& figures = report->figures[0];
  EXPECT_EQ(figures.rows, 3u);
  EXPECT_DOUBLE_EQ(figures.success_at_1.value, 1.0 / 3);
  EXPECT_DOUBLE_EQ(figures.success_at_10.value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(figures.exact_fix.value, 1.0 / 3);  // "lost" is right
  ASSERT_EQ(figures.latency.size(), 1u);
  EXPECT_EQ(figures.latency[0].p50_us, 200);
  EXPECT_EQ(figures.latency[0].p99_us, 300);
  ASSERT_EQ(figures.misses.size(), 1u);
  EXPECT_EQ(figures.misses[0].row.query, "skyfal");
  EXPECT_EQ(figures.misses[0].rank, 2);
  EXPECT_EQ(figures.misses[0].first_title, "Hello");
  const nlohmann::json json = ToJson(*report);
  EXPECT_EQ(json["sets"][0]["set"], "touch");
  EXPECT_EQ(json["latency"]["do nothing"]["total"]["p90_us"], 300);
  EXPECT_THAT(ToMarkdown(*report), HasSubstr("33.3 (0.0-"));
  EXPECT_THAT(ToMarkdown(*report), HasSubstr("| skyfal "));
}

// Finds queries of `first` at rank 1, those of `second` at rank 2.
SearchVariant Finding(const std::string& name,
                      const std::set<std::string>& first,
                      const std::set<std::string>& second) {
  return {name,
          [=](const std::string& query) -> absl::StatusOr<SearchResponse> {
            std::vector<Hit> tracks;
            if (!first.contains(query)) tracks.push_back(Track("Other", "X"));
            if (first.contains(query) || second.contains(query)) {
              tracks.push_back(Track(query, "Adele"));
            }
            return Answer(std::move(tracks));
          }};
}

TEST(SearchEvalTest, DifferencesAreOfTheLastVariant) {
  const QuerySet set = {"clean",
                        {{"a", "a", "a", "Adele"},
                         {"b", "b", "b", "Adele"},
                         {"no target", "no target", "", ""},
                         {"c", "c", "c", "Adele"},
                         {"d", "d", "d", "Adele"}}};
  // Gained: d. Lost from the first place: b. Lost altogether: c.
  const auto report = RunSearchEval({set},
                                    {Finding("do nothing", {"a", "b"}, {"c"}),
                                     Finding("other", {"a"}, {"b", "d"}),
                                     Finding("product", {"a"}, {"b", "d"})},
                                    {});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->differences.size(), 2u);
  const SearchDifference& difference = report->differences[0];
  EXPECT_EQ(difference.set, "clean");
  EXPECT_EQ(difference.variant, "product");
  EXPECT_EQ(difference.baseline, "do nothing");
  EXPECT_EQ(difference.targets, 4u);
  EXPECT_DOUBLE_EQ(difference.success_at_1.value, -0.25);
  EXPECT_DOUBLE_EQ(difference.success_at_1.high, 0);
  EXPECT_DOUBLE_EQ(difference.success_at_10.value, 0);
  EXPECT_LT(difference.success_at_10.low, 0);
  EXPECT_GT(difference.success_at_10.high, 0);
  // Equal answers differ in no resample, though each figure is uncertain.
  EXPECT_EQ(report->differences[1].baseline, "other");
  EXPECT_EQ(report->differences[1].success_at_10.low, 0);
  EXPECT_EQ(report->differences[1].success_at_10.high, 0);

  const nlohmann::json json = ToJson(*report)["differences"][0];
  EXPECT_EQ(json["baseline"], "do nothing");
  EXPECT_EQ(json["success_at_1"]["value"], -0.25);
  EXPECT_THAT(ToMarkdown(*report), HasSubstr("product less do nothing"));
  EXPECT_THAT(ToMarkdown(*report), HasSubstr("-25.00 (-75.00 to +0.00)"));
}

TEST(SearchEvalTest, AnErrorNamesTheQuery) {
  const SearchVariant variant = {"do nothing", [](const std::string&) {
                                   return absl::StatusOr<SearchResponse>(
                                       absl::UnavailableError("no index"));
                                 }};
  const auto report =
      RunSearchEval({{"clean", {{"abc", "abc", "a", "b"}}}}, {variant}, {});
  EXPECT_EQ(report.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(report.status()), HasSubstr("query 'abc'"));
}

TEST(SuggestEvalTest, FirstLettersLeaveSpacesUncounted) {
  EXPECT_EQ(FirstLetters("I Will Survive", 3), "i wi");
  EXPECT_EQ(FirstLetters("Élan", 2), "el");
  EXPECT_EQ(FirstLetters("Up", 6), "up");
  EXPECT_EQ(FirstLetters("!!!", 3), "");
}

TEST(SuggestEvalTest, CountsTheTrackAmongTheFirstSuggestions) {
  const std::vector<TrackName> tracks = {{"Hello", "Adele"},
                                         {"HELLO", "Other"},  // no new title
                                         {"Help", "The Beatles"},
                                         {"Rare", "Somebody"}};
  std::vector<std::string> asked;
  const auto suggest = [&](const std::string& prefix)
      -> absl::StatusOr<std::vector<Suggestion>> {
    asked.push_back(prefix);
    Suggestion hello = {.text = "hello", .title = "Hello", .artist = "Adele"};
    Suggestion help = {
        .text = "help", .title = "Help", .artist = "The Beatles"};
    return std::vector<Suggestion>{hello, help};
  };
  const auto report = RunSuggestEval(
      tracks, suggest,
      {.num_titles = 2, .letters = {3, 4}, .num_suggestions = 1});
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(asked, testing::ElementsAre("hel", "hel", "hell", "help"));
  ASSERT_EQ(report->figures.size(), 2u);
  EXPECT_EQ(report->figures[0].rows, 2u);
  EXPECT_DOUBLE_EQ(report->figures[0].found.value, 0.5);  // help is second
  EXPECT_EQ(ToJson(*report)[1]["letters"], 4);
}

TEST(BroadEvalTest, UnknownGenresAreWrongAndCountedApart) {
  const SearchVariant variant = {
      "product", [](const std::string&) -> absl::StatusOr<SearchResponse> {
        return Answer({Track("a", "x", "Smooth Jazz"), Track("b", "x", "Rock"),
                       Track("c", "x"), Track("d", "x", "jazz, bebop")});
      }};
  const auto report = RunBroadEval({{"jazz", EntityType::kTrack, {"Jazz"}},
                                    {"shows", EntityType::kShow, {"News"}}},
                                   variant);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->rows[0].hits, 4);
  EXPECT_EQ(report->rows[0].known, 3);
  EXPECT_EQ(report->rows[0].right, 2);
  EXPECT_EQ(report->rows[1].hits, 0);
  EXPECT_DOUBLE_EQ(report->precision_at_10.value, 0.1);  // (2/10 + 0) / 2
  EXPECT_DOUBLE_EQ(report->of_known.value, 1.0 / 3);     // (2/3 + 0) / 2
}

}  // namespace
}  // namespace quaver
