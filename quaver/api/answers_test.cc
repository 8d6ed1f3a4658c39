// Tests of results as JSON.
#include "quaver/api/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

TEST(Utf16OffsetTest, CountsAsBrowsersDo) {
  const std::string text = "a\u00e9\u5bbf\U0001F3B5b";  // 1, 2, 3, 4, 1 bytes
  EXPECT_EQ(Utf16Offset(text, 0), 0u);
  EXPECT_EQ(Utf16Offset(text, 1), 1u);
  EXPECT_EQ(Utf16Offset(text, 3), 2u);
  EXPECT_EQ(Utf16Offset(text, 6), 3u);
  EXPECT_EQ(Utf16Offset(text, 10), 5u);
  EXPECT_EQ(Utf16Offset(text, 11), 6u);
  EXPECT_EQ(Utf16Offset(text, 99), 6u);
}

Hit MakeHit() {
  Hit hit;
  hit.type = EntityType::kAlbum;
  hit.id = "album:1";
  hit.title = "\U0001F3B5 caf\u00e9";
  hit.artist = "B";
  hit.highlights = {{"title", 5, 10}, {"artist", 0, 1}, {"title", 0, 4}};
  return hit;
}

TEST(AnswersTest, HighlightsAreUtf16RangesByField) {
  SearchResponse response;
  response.best = MakeHit();
  const Json json = ToJson(response, false);
  EXPECT_EQ(json["best"]["highlights"],
            Json::parse(R"({"title": [[3, 7], [0, 2]], "artist": [[0, 1]]})"));
  EXPECT_EQ(json["best"]["type"], "album");
}

TEST(AnswersTest, WhatIsNotKnownIsNullAndWhatWasNotAskedIsAbsent) {
  SearchResponse response;
  EXPECT_EQ(ToJson(response, false).dump(),
            R"({"query":"","best":null,"sections":[],"timing_us":{}})");
  EXPECT_EQ(ToJson(response, true)["facets"].dump(),
            R"({"type":[],"genre":[],"year":[]})");
  response.best = MakeHit();
  const Json hit = ToJson(response, false)["best"];
  EXPECT_TRUE(hit["year"].is_null());
  EXPECT_FALSE(hit.contains("explain"));
}

TEST(AnswersTest, ExplainShowsLegsAndFeatures) {
  SearchResponse response;
  response.best = MakeHit();
  response.best->legs = {{"names", 1, 0.5}};
  response.best->features = {{"edit", 0.25}};
  EXPECT_EQ(ToJson(response, false)["best"]["explain"].dump(),
            R"({"legs":[{"leg":"names","rank":1,"score":0.5}],)"
            R"("features":{"edit":0.25}})");
}

TEST(AnswersTest, StagesAndFacetsKeepTheirOrder) {
  SearchResponse response;
  response.query = "x";
  response.facets["genre"] = {{"Rock", 3}, {"Ambient", 1}};
  response.timing_us = {{"normalise", 1}, {"encode", 2}, {"total", 3}};
  const Json json = ToJson(response, true);
  EXPECT_EQ(json["facets"]["genre"].dump(),
            R"([{"value":"Rock","count":3},{"value":"Ambient","count":1}])");
  EXPECT_EQ(json["timing_us"].dump(),
            R"({"normalise":1,"encode":2,"total":3})");
}

TEST(AnswersTest, WrongBytesDoNotBreakTheJson) {
  SearchResponse response;
  response.query = "bad \xFF\xC3";
  const auto parsed =
      nlohmann::json::parse(JsonResponse(ToJson(response, false)).body);
  EXPECT_EQ(parsed["query"], "bad \uFFFD\uFFFD");
}

TEST(AnswersTest, SuggestionsNameTheirKind) {
  Suggestion suggestion;
  suggestion.text = suggestion.title = "Hey Jude";
  suggestion.id = "track:1";
  suggestion.highlights = {{"title", 0, 3}};
  Suggestion related = suggestion;
  related.completion = false;
  const Json json = ToJson("hey", {suggestion, related}, 12);
  EXPECT_EQ(json["suggestions"][0]["kind"], "completion");
  EXPECT_EQ(json["suggestions"][1]["kind"], "related");
  EXPECT_EQ(json["suggestions"][0]["highlights"]["title"].dump(), "[[0,3]]");
  EXPECT_EQ(json["timing_us"]["total"], 12);
}

}  // namespace
}  // namespace quaver
