// Tests of what of an entity is embedded and stored.
#include "quaver/ingest/entity_document.h"

#include <gtest/gtest.h>

namespace quaver {
namespace {

Entity Full(EntityType type) {
  Entity entity;
  entity.type = type;
  entity.id = "id";
  entity.title = "Title";
  entity.artist = "Artist";
  entity.album = "Album";
  entity.genre = "Genre";
  entity.description = "Description";
  entity.year = 1999;
  entity.popularity = 2;
  return entity;
}

TEST(EntityDocumentTest, EmbedsTheFieldsOfItsType) {
  EXPECT_EQ(EmbeddedText(Full(EntityType::kTrack)),
            "Title, Artist, Album, Genre");
  for (const EntityType type : {EntityType::kShow, EntityType::kEpisode}) {
    EXPECT_EQ(EmbeddedText(Full(type)), "Title, Artist, Genre, Description");
  }
  EXPECT_EQ(EmbeddedText(Full(EntityType::kPlaylist)), "Title, Description");
  EXPECT_EQ(EmbeddedText(Full(EntityType::kArtist)), "");
  EXPECT_EQ(EmbeddedText(Full(EntityType::kAlbum)), "");
}

TEST(EntityDocumentTest, LeavesOutEmptyFields) {
  Entity entity = Full(EntityType::kTrack);
  entity.artist = entity.genre = "";
  EXPECT_EQ(EmbeddedText(entity), "Title, Album");
}

TEST(EntityDocumentTest, MakesTheDocument) {
  PopularityScale scale;
  scale[static_cast<int>(EntityType::kShow)] = MakeQuantiles({1, 2, 3});
  const Document document = MakeDocument(Full(EntityType::kShow), scale);
  EXPECT_EQ(document.type, 3);
  EXPECT_EQ(document.id, "id");
  EXPECT_EQ(document.title, "Title");
  EXPECT_EQ(document.artist, "Artist");
  EXPECT_EQ(document.album, "Album");
  EXPECT_EQ(document.genre, "Genre");
  EXPECT_EQ(document.description, "Description");
  EXPECT_EQ(document.year, 1999);
  EXPECT_NEAR(document.popularity, 1.0 / 3, 0.02);  // one of three is less
  EXPECT_TRUE(document.embedding.empty());
  EXPECT_NE(document.embedded_hash, 0);
}

TEST(EntityDocumentTest, TheHashIsOfTheEmbeddedTextAlone) {
  const auto hash = [](const Entity& entity) {
    return MakeDocument(entity, {}).embedded_hash;
  };
  const Entity track = Full(EntityType::kTrack);
  Entity other = track;
  other.popularity = 9;
  other.year = 1;
  other.description = "not of a track's text";
  other.attributes["mood"] = "calm";
  EXPECT_EQ(hash(other), hash(track));
  other.album = "Other";
  EXPECT_NE(hash(other), hash(track));
  EXPECT_EQ(hash(Full(EntityType::kArtist)), 0);
}

}  // namespace
}  // namespace quaver
