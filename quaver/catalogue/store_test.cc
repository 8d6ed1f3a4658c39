// Tests of the store: changes and derived entities.
#include "quaver/catalogue/store.h"

#include <unistd.h>

#include <filesystem>
#include <limits>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string NewPath(const std::string& name) {
  const std::string folder =
      fmt::format("{}quaver_store_{}_{}", testing::TempDir(), name, getpid());
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(MakeFolders(folder).ok());
  return folder + "/catalogue.db";
}

std::unique_ptr<CatalogueStore> OpenOrDie(const std::string& path) {
  auto store = CatalogueStore::Open(path);
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

Entity Track(const std::string& key, const std::string& title,
             const std::string& artist, const std::string& album = "",
             double popularity = 0) {
  Entity entity;
  entity.id = "track:" + key;
  entity.title = title;
  entity.artist = artist;
  entity.album = album;
  entity.popularity = popularity;
  return entity;
}

Entity Named(EntityType type, const std::string& title,
             const std::string& artist = "") {
  Entity entity;
  entity.type = type;
  entity.title = title;
  entity.artist = artist;
  entity.id = DerivedId(entity);
  return entity;
}

std::vector<std::string> AllIds(CatalogueStore& store) {
  std::vector<std::string> ids;
  EXPECT_TRUE(store
                  .ForEach([&](const Entity& entity) {
                    ids.push_back(entity.id);
                    return absl::OkStatus();
                  })
                  .ok());
  return ids;
}

TEST(EntityTest, NamesGoThereAndBack) {
  for (int i = 0; i < kNumEntityTypes; ++i) {
    const auto type = static_cast<EntityType>(i);
    EXPECT_EQ(ParseEntityType(Name(type)).value(), type);
  }
  EXPECT_THAT(Message(ParseEntityType("song").status()),
              HasSubstr("track, artist, album, show, episode, playlist"));
}

TEST(EntityTest, DerivedIdFollowsTheNormalisedName) {
  const Entity plain = Track("", "Beyonce!", "B");
  EXPECT_EQ(DerivedId(plain), DerivedId(Track("", "BEYONCÉ", "b")));
  EXPECT_NE(DerivedId(plain), DerivedId(Track("", "Beyonce B", "")));
  EXPECT_NE(DerivedId(plain), DerivedId(Named(EntityType::kAlbum, "Beyonce")));
  // Ids are on people's disks: they must never change.
  EXPECT_EQ(DerivedId(Named(EntityType::kArtist, "Queen")),
            "artist:9762e8e2cd7b6877");
}

TEST(StoreTest, EveryFieldComesBackAfterReopening) {
  const std::string path = NewPath("fields");
  Entity entity = Track("1", "Köln \"Concert\"", "", "", 0.1);
  entity.genre = "Jazz";
  entity.year = 1975;
  entity.description = "Part I\\II";
  entity.attributes = {{"label", "ECM"}, {"ключ", "значение"}, {"", ""}};
  Entity playlist = Named(EntityType::kPlaylist, "Quiet");
  playlist.tracks = {"track:1", "track:\"2\"", ""};
  ASSERT_TRUE(OpenOrDie(path)->Upsert({entity, playlist}).ok());
  const auto store = OpenOrDie(path);
  EXPECT_EQ(store->Get("track:1").value(), entity);
  EXPECT_EQ(store->Get(playlist.id).value(), playlist);
  EXPECT_EQ(store->LastSequence().value(), 2u);
}

TEST(StoreTest, MissingIdIsNamed) {
  const auto status = OpenOrDie(NewPath("missing"))->Get("track:9").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), HasSubstr("track:9"));
}

TEST(StoreTest, RefusesWhatCannotBeStored) {
  const auto store = OpenOrDie(NewPath("refuse"));
  const Entity good = Track("1", "A", "B");
  Entity bad_id = good;
  bad_id.id = "artist:1";
  Entity no_title = Track("2", "", "B");
  Entity infinite = Track("3", "A", "B");
  infinite.popularity = std::numeric_limits<double>::infinity();
  for (const Entity& bad : {bad_id, no_title, infinite}) {
    const auto status = store->Upsert({good, bad}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(Message(status), HasSubstr(bad.id));
  }
  EXPECT_THAT(AllIds(*store), SizeIs(0)) << "nothing of a refused batch stays";
}

TEST(StoreTest, ArtistsAndAlbumsFollowTheirTracks) {
  const auto store = OpenOrDie(NewPath("derive"));
  std::vector<Entity> tracks = {
      Track("1", "Hello", "Adele", "25", 3),
      Track("2", "Skyfall", "ADELE", "", 7),
      Track("3", "Million Years Ago", "adele", "25", 1)};
  tracks[0].genre = "Pop";
  tracks[1].genre = "Film";
  tracks[2].genre = "Film";
  tracks[0].year = 2015;
  ASSERT_TRUE(store->Upsert(tracks).ok());
  const Entity artist =
      store->Get(DerivedId(Named(EntityType::kArtist, "Adele"))).value();
  EXPECT_EQ(artist.title, "ADELE") << "as the most popular track spells it";
  EXPECT_EQ(artist.popularity, 7);
  EXPECT_EQ(artist.genre, "Film");
  const Entity album =
      store->Get(DerivedId(Named(EntityType::kAlbum, "25", "Adele"))).value();
  EXPECT_EQ(album.title, "25");
  EXPECT_EQ(album.artist, "Adele");
  EXPECT_EQ(album.popularity, 3);
  EXPECT_EQ(album.year, 2015);
  EXPECT_EQ(store->Count(EntityType::kTrack).value(), 3);
  EXPECT_EQ(store->Count(EntityType::kArtist).value(), 1);
  EXPECT_EQ(store->Count(EntityType::kAlbum).value(), 1);
}

TEST(StoreTest, DerivedEntitiesGoWithTheirLastTrack) {
  const auto store = OpenOrDie(NewPath("last_track"));
  const std::string artist = DerivedId(Named(EntityType::kArtist, "A"));
  ASSERT_TRUE(
      store->Upsert({Track("1", "x", "A", "L", 5), Track("2", "y", "A", "", 2)})
          .ok());
  EXPECT_TRUE(store->Delete("track:1").value());
  EXPECT_EQ(store->Get(artist)->popularity, 2);
  EXPECT_EQ(store->Count(EntityType::kAlbum).value(), 0);
  ASSERT_TRUE(store->Upsert({Track("2", "y", "B")}).ok()) << "moves away";
  EXPECT_TRUE(absl::IsNotFound(store->Get(artist).status()));
  EXPECT_EQ(store->Count(EntityType::kArtist).value(), 1);
  EXPECT_FALSE(store->Delete("track:1").value()) << "gone already";
}

TEST(StoreTest, DerivedEntitiesCannotBeDeletedAlone) {
  const auto store = OpenOrDie(NewPath("derived_delete"));
  ASSERT_TRUE(store->Upsert({Track("1", "x", "A")}).ok());
  const std::string id = DerivedId(Named(EntityType::kArtist, "A"));
  const auto status = store->Delete(id).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("tracks"));
}

TEST(StoreTest, WrittenArtistReplacesTheDerivedOne) {
  const auto store = OpenOrDie(NewPath("given"));
  const std::string derived = DerivedId(Named(EntityType::kArtist, "Björk"));
  ASSERT_TRUE(store->Upsert({Track("1", "Jóga", "Björk")}).ok());
  Entity given = Named(EntityType::kArtist, "BJORK");
  given.id = "artist:77";
  ASSERT_TRUE(store->Upsert({given}).ok());
  EXPECT_TRUE(absl::IsNotFound(store->Get(derived).status()));
  EXPECT_EQ(store->Get("artist:77").value(), given);
  EXPECT_TRUE(store->Delete("artist:77").value());
  EXPECT_EQ(store->Get(derived)->title, "Björk") << "derived again";
  given.id = derived;  // now at the derived entity's own id
  given.description = "singer";
  ASSERT_TRUE(store->Upsert({given}).ok());
  ASSERT_TRUE(store->Upsert({Track("2", "Hunter", "Björk", "", 9)}).ok());
  EXPECT_EQ(store->Get(derived).value(), given);
  EXPECT_TRUE(store->Delete(derived).value());
  EXPECT_EQ(store->Get(derived)->popularity, 9);
}

TEST(StoreTest, EpisodeMakesItsShowUnlessThereIsOne) {
  const auto store = OpenOrDie(NewPath("show"));
  Entity episode = Named(EntityType::kEpisode, "Pilot", "");
  episode.album = "Radio Nowhere";
  episode.genre = "News";
  ASSERT_TRUE(store->Upsert({episode}).ok());
  Entity show = Named(EntityType::kShow, "Radio nowhere");
  EXPECT_EQ(store->Get(show.id)->title, "Radio Nowhere");
  EXPECT_EQ(store->Get(show.id)->genre, "News");
  show.artist = "Nobody Media";  // the list of shows knows the publisher
  show.id = "show:1";
  ASSERT_TRUE(store->Upsert({show}).ok());
  EXPECT_EQ(store->Count(EntityType::kShow).value(), 1);
  EXPECT_EQ(store->Get("show:1").value(), show);
}

TEST(StoreTest, ChangesRiseAndEqualRowsChangeNothing) {
  const auto store = OpenOrDie(NewPath("changes"));
  Entity track = Track("1", "x", "");
  EXPECT_EQ(store->Upsert({track}).value(), 1u);
  EXPECT_EQ(store->Upsert({track}).value(), 1u) << "the same again";
  track.popularity = 4;
  EXPECT_EQ(store->Upsert({track}).value(), 2u) << "popularity alone";
  track.attributes["mood"] = "calm";
  EXPECT_EQ(store->Upsert({track}).value(), 3u) << "an attribute alone";
  EXPECT_EQ(store->Upsert({Track("2", "y", "")}).value(), 4u);
  EXPECT_TRUE(store->Delete("track:1").value());
  const auto changes = store->ChangesSince(0, 10).value();
  ASSERT_THAT(changes, SizeIs(2));
  EXPECT_EQ(changes[0].sequence, 4u);
  EXPECT_EQ(changes[0].entity.value(), Track("2", "y", ""));
  EXPECT_EQ(changes[1].id, "track:1");
  EXPECT_FALSE(changes[1].entity.has_value());
  EXPECT_THAT(store->ChangesSince(0, 1).value(), SizeIs(1));
  EXPECT_THAT(store->ChangesSince(changes[1].sequence, 10).value(), SizeIs(0));
  EXPECT_EQ(store->LastSequence().value(), 5u);
}

TEST(StoreTest, DerivedChangesAreChangesToo) {
  const auto store = OpenOrDie(NewPath("derived_changes"));
  ASSERT_TRUE(store->Upsert({Track("1", "x", "A", "", 1)}).ok());
  const uint64_t before = store->LastSequence().value();
  ASSERT_TRUE(store->Upsert({Track("1", "x", "A", "", 2)}).ok());
  const auto changes = store->ChangesSince(before, 10).value();
  ASSERT_THAT(changes, SizeIs(2));
  EXPECT_EQ(changes[1].entity->type, EntityType::kArtist);
  EXPECT_EQ(changes[1].entity->popularity, 2);
}

TEST(StoreTest, VisitsInOrderAndMayWriteMeanwhile) {
  const auto store = OpenOrDie(NewPath("for_each"));
  ASSERT_TRUE(
      store
          ->Upsert({Named(EntityType::kShow, "s"), Track("a", "x", "", "", 1),
                    Track("c", "x", "", "", 2), Track("b", "x", "", "", 2)})
          .ok());
  std::vector<std::string> ids;
  ASSERT_TRUE(
      store
          ->ForEach([&](const Entity& entity) {
            ids.push_back(entity.id);
            return store->Upsert({Track("z", "new", "", "", 0)}).status();
          })
          .ok());
  EXPECT_THAT(ids, ElementsAre("track:b", "track:c", "track:a",
                               Named(EntityType::kShow, "s").id));
  EXPECT_THAT(AllIds(*store), SizeIs(5));
  const auto stopped = store->ForEach(
      [](const Entity&) { return absl::CancelledError("enough"); });
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
}

TEST(StoreTest, ThreadsShareOneStore) {
  const auto store = OpenOrDie(NewPath("threads"));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      for (int i = 0; i < 10; ++i) {
        const auto track = Track(fmt::format("{}-{}", t, i), "x", "A");
        EXPECT_TRUE(store->Upsert({track}).ok());
        EXPECT_EQ(store->Get(track.id).value(), track);
        EXPECT_TRUE(store->Count(EntityType::kArtist).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store->Count(EntityType::kTrack).value(), 40);
  EXPECT_EQ(store->Count(EntityType::kArtist).value(), 1);
}

// What is derived must be a function of what was given, in whatever order it
// came: a random history equals a store that was told the outcome at once.
TEST(StoreTest, RandomHistoryDerivesWhatAFreshImportDerives) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const auto store = OpenOrDie(NewPath("history"));
    std::map<std::string, Entity> model;
    Random random(seed);
    for (int step = 0; step < 60; ++step) {
      Entity entity = Track(std::to_string(random.Below(12)), "t",
                            std::string(1, 'a' + random.Below(3)),
                            std::string(random.Below(2), 'L'),
                            static_cast<double>(random.Below(4)));
      if (random.Chance(0.2)) {
        entity =
            Named(EntityType::kArtist, std::string(1, 'A' + random.Below(3)));
        if (random.Chance(0.5)) entity.id = "artist:own";
      }
      if (random.Chance(0.3)) {
        const auto deleted = store->Delete(entity.id);
        EXPECT_EQ(deleted.ok() && *deleted, model.erase(entity.id) == 1);
      } else {
        ASSERT_TRUE(store->Upsert({entity}).ok());
        model[entity.id] = entity;
      }
    }
    const auto fresh = OpenOrDie(NewPath("fresh"));
    std::vector<Entity> entities;
    for (const auto& [id, entity] : model) entities.push_back(entity);
    ASSERT_TRUE(fresh->Upsert(entities).ok());
    EXPECT_EQ(AllIds(*store), AllIds(*fresh)) << "seed " << seed;
    for (const std::string& id : AllIds(*fresh)) {
      EXPECT_EQ(store->Get(id)->popularity, fresh->Get(id)->popularity) << id;
    }
  }
}

}  // namespace
}  // namespace quaver
