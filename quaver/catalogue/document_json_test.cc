// Tests of entities as JSON documents.
#include "quaver/catalogue/document_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using ::testing::HasSubstr;

TEST(DocumentJsonTest, WhatGoesOutComesInAgain) {
  Entity track;
  track.id = "track:1";
  track.title = "Joga \"\\ \u266b";
  track.artist = "Björk";
  track.album = "Homogenic";
  track.genre = "Electronic";
  track.year = 1997;
  track.popularity = 0.1;
  track.description = "strings";
  track.attributes = {{"title", "not the title"}, {"attributes", "x"}};
  Entity playlist;
  playlist.type = EntityType::kPlaylist;
  playlist.id = "playlist:p";
  playlist.title = "Slow";
  playlist.tracks = {"track:1", "track:x|y"};
  Entity episode;
  episode.type = EntityType::kEpisode;
  episode.id = "episode:e:1";
  episode.title = "Pilot";
  episode.album = "Show";
  episode.popularity = -2e300;
  Entity bare;
  bare.type = EntityType::kArtist;
  bare.title = "Queen";
  bare.id = DerivedId(bare);
  for (const Entity& entity : {track, playlist, episode, bare}) {
    const std::string line = EntityToJson(entity).dump();
    const auto parsed = ParseDocumentJson(line);
    ASSERT_TRUE(parsed.ok()) << parsed.status() << line;
    EXPECT_TRUE(*parsed == entity) << line;
  }
}

TEST(DocumentJsonTest, EmptyFieldsAreLeftOut) {
  Entity entity;
  entity.id = "track:1";
  entity.title = "a";
  EXPECT_EQ(EntityToJson(entity).dump(),
            R"({"id":"track:1","title":"a","type":"track"})");
}

TEST(DocumentJsonTest, ErrorsNameTheField) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "not JSON"},
      {"{\"title\": \"a\"", "not JSON"},
      {"[]", "an array"},
      {"{}", "title is missing"},
      {"{\"title\": null}", "title is missing"},
      {"{\"title\": []}", "title is missing"},
      {"{\"title\": \"a\", \"year\": \"x\"}", "year \"x\""},
      {"{\"title\": \"a\", \"type\": \"song\"}", "type \"song\""},
      {"{\"title\": \"a\", \"id\": \"track:\"}", "id \"track:\""},
      {"{\"title\": \"a\", \"id\": {}}", "id must be"},
  };
  for (const auto& [line, reason] : cases) {
    const auto status = ParseDocumentJson(line).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(Message(status), HasSubstr(reason)) << line;
  }
}

TEST(DocumentJsonTest, TypeFollowsFromTheKeys) {
  EXPECT_EQ(ParseDocumentJson(R"({"show":"s"})")->type, EntityType::kShow);
  EXPECT_EQ(ParseDocumentJson(R"({"show":"s","title":"t"})")->type,
            EntityType::kEpisode);
  EXPECT_EQ(ParseDocumentJson(R"({"title":"t","tracks":[]})")->type,
            EntityType::kPlaylist);
  EXPECT_EQ(ParseDocumentJson(R"({"title":"t"})")->type, EntityType::kTrack);
}

}  // namespace
}  // namespace quaver
