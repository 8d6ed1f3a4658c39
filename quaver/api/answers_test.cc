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
  const Json json = ToJson({}, response);
  EXPECT_EQ(json["best"]["highlights"],
            Json::parse(R"({"title": [[3, 7], [0, 2]], "artist": [[0, 1]]})"));
  EXPECT_EQ(json["best"]["type"], "album");
}

TEST(AnswersTest, WhatIsNotKnownIsNullAndWhatWasNotAskedIsAbsent) {
  SearchResponse response;
  EXPECT_EQ(ToJson({.correct = false}, response).dump(),
            R"({"query":"","correction":null,"best":null,"sections":[],)"
            R"("timing_us":{}})");
  EXPECT_EQ(ToJson({.facets = true}, response)["facets"].dump(),
            R"({"type":[],"genre":[],"year":[]})");
  response.best = MakeHit();
  const Json hit = ToJson({}, response)["best"];
  EXPECT_TRUE(hit["year"].is_null());
  EXPECT_FALSE(hit.contains("explain"));
}

TEST(AnswersTest, ExplainShowsLegsAndFeatures) {
  SearchResponse response;
  response.best = MakeHit();
  response.best->legs = {{"names", 1, 0.5}};
  response.best->features = {{"edit", 0.25}};
  EXPECT_EQ(ToJson({}, response)["best"]["explain"].dump(),
            R"({"legs":[{"leg":"names","rank":1,"score":0.5}],)"
            R"("features":{"edit":0.25}})");
}

TEST(AnswersTest, StagesAndFacetsKeepTheirOrder) {
  SearchResponse response;
  response.query = "x";
  response.facets["genre"] = {{"Rock", 3}, {"Ambient", 1}};
  response.timing_us = {{"normalise", 1}, {"encode", 2}, {"total", 3}};
  const Json json = ToJson({.facets = true}, response);
  EXPECT_EQ(json["facets"]["genre"].dump(),
            R"([{"value":"Rock","count":3},{"value":"Ambient","count":1}])");
  EXPECT_EQ(json["timing_us"].dump(),
            R"({"normalise":1,"encode":2,"total":3})");
}

Correction MakeCorrection() {
  Correction correction;
  correction.outcome = SpellingOutcome::kShown;
  correction.text = "cafe jude";
  correction.applied = true;
  correction.confidence = 0.75;
  correction.spans = {{6, 10, "jude"}};
  correction.alternatives = {{"cafe july", 0.125}};
  correction.passes = 2;
  correction.timing_us = {{"correct_gate", 5}, {"correct_model", 7}};
  return correction;
}

TEST(AnswersTest, CorrectionsHaveUtf16Spans) {
  SearchResponse response;
  response.query = "caf\u00e9 juhd";
  response.correction = MakeCorrection();
  response.timing_us = {{"correct", 13}, {"total", 20}};
  const Json json = ToJson({}, response);
  EXPECT_EQ(json["correction"].dump(),
            R"({"text":"cafe jude","outcome":"showing_results_for",)"
            R"("applied":true,"confidence":0.75,)"
            R"("spans":[{"begin":5,"end":9,"text":"jude"}],)"
            R"("alternatives":[{"text":"cafe july","confidence":0.125}],)"
            R"("completion":null,"passes":2,"gated":false})");
  EXPECT_EQ(json["timing_us"].dump(),
            R"({"correct":13,"total":20,"correct_gate":5,"correct_model":7})");
}

TEST(AnswersTest, TextIsWhatASearchTakesWithoutAsking) {
  const std::string query = "caf\u00e9 juhd";
  Correction correction = MakeCorrection();
  Json json = ToJson(query, correction, 20);
  EXPECT_EQ(json["text"], "cafe jude");
  EXPECT_TRUE(json["did_you_mean"].is_null());
  EXPECT_EQ(json["timing_us"].dump(),
            R"({"correct_gate":5,"correct_model":7,"total":20})");

  correction.outcome = SpellingOutcome::kAsked;
  correction.applied = false;
  correction.completion = "cafe jude law";
  json = ToJson(query, correction, 20);
  EXPECT_EQ(json["text"], query);
  EXPECT_EQ(json["did_you_mean"], "cafe jude");
  EXPECT_EQ(json["outcome"], "did_you_mean");
  EXPECT_EQ(json["completion"], "cafe jude law");
}

TEST(AnswersTest, WrongBytesDoNotBreakTheJson) {
  SearchResponse response;
  response.query = "bad \xFF\xC3";
  const auto parsed =
      nlohmann::json::parse(JsonResponse(ToJson({}, response)).body);
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
