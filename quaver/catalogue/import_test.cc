// Tests of import: formats, columns, ids, hostile lines.
#include "quaver/catalogue/import.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/catalogue/internal/lines.h"

namespace quaver {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

struct Imported {
  absl::Status status;
  ImportStats stats;
  std::vector<Entity> entities;
  std::vector<BadLine> bad;
};

Imported Import(std::string_view bytes, const std::string& name,
                const ImportOptions& options = {}, SeenIds* seen = nullptr) {
  Imported result;
  ImportCallbacks callbacks;
  callbacks.entities = [&](std::vector<Entity> batch) {
    std::move(batch.begin(), batch.end(), std::back_inserter(result.entities));
    return absl::OkStatus();
  };
  callbacks.bad_line = [&](const BadLine& line) { result.bad.push_back(line); };
  SeenIds own;
  auto stats = ReadCatalogueBytes(bytes, name, options,
                                  seen == nullptr ? own : *seen, callbacks);
  result.status = stats.status();
  if (stats.ok()) result.stats = *stats;
  return result;
}

std::vector<std::string> Titles(const Imported& imported) {
  std::vector<std::string> titles;
  for (const Entity& entity : imported.entities) {
    titles.push_back(entity.title);
  }
  return titles;
}

auto BadAt(int64_t line, const std::string& reason) {
  return AllOf(Field(&BadLine::line, line),
               Field(&BadLine::reason, HasSubstr(reason)));
}

constexpr char kTracks[] =
    "id\ttitle\tartist\talbum\tgenre\tyear\tpopularity\n"
    "1\tLoser\tBeck\tMellow Gold\tRock\t1993\t75\n"
    "2\t\"Heroes\"\tDavid Bowie\t\t\t\t\n";

TEST(ImportTest, TsvTakesQuotesAsLetters) {
  const Imported imported = Import(kTracks, "tracks.tsv");
  ASSERT_TRUE(imported.status.ok()) << imported.status;
  ASSERT_THAT(imported.entities, SizeIs(2));
  Entity loser;
  loser.id = "track:1";
  loser.title = "Loser";
  loser.artist = "Beck";
  loser.album = "Mellow Gold";
  loser.genre = "Rock";
  loser.year = 1993;
  loser.popularity = 75;
  EXPECT_EQ(imported.entities[0], loser);
  EXPECT_EQ(imported.entities[1].title, "\"Heroes\"");
  EXPECT_EQ(imported.entities[1].year, 0);
  EXPECT_EQ(imported.stats.entities, 2);
  EXPECT_EQ(imported.stats.bad_lines, 0);
}

TEST(ImportTest, CsvFollowsRfc4180) {
  const Imported imported = Import(
      "\xef\xbb\xbf\"Title\",ARTIST,description\r\n"
      "\"Say \"\"Hi\"\", now\",\"Joan, Jett\",\"two\r\nlines\"\r\n"
      "7\" Single,\"\",plain\r\n"
      "last,\"x\",",
      "a.csv");
  ASSERT_TRUE(imported.status.ok()) << imported.status;
  EXPECT_THAT(imported.bad, IsEmpty());
  EXPECT_THAT(Titles(imported),
              ElementsAre("Say \"Hi\", now", "7\" Single", "last"));
  EXPECT_EQ(imported.entities[0].artist, "Joan, Jett");
  EXPECT_EQ(imported.entities[0].description, "two lines");
}

TEST(ImportTest, ForgottenCsvQuoteCostsItsOwnLineAlone) {
  std::string text = "title,artist\n\"open,A\n";
  for (int i = 0; i < 3000; ++i) text += "song,B\n";
  text += "\"closed\" too early,C\nlast,D\n";
  const Imported imported = Import(text, "a.csv");
  EXPECT_THAT(imported.bad,
              ElementsAre(BadAt(2, "a quote is not closed within 1000 lines"),
                          BadAt(3003, "field 1 goes on after its closing")));
  EXPECT_EQ(imported.stats.entities, 3001);
  EXPECT_EQ(imported.entities.back().title, "last");
  const Imported at_end = Import("title\ngood\n\"open\nnext\n", "a.csv");
  EXPECT_THAT(at_end.bad, ElementsAre(BadAt(3, "a quote is not closed")));
  EXPECT_THAT(Titles(at_end), ElementsAre("good", "next"));
}

TEST(ImportTest, JsonlTakesListsNumbersAndAttributes) {
  const Imported imported = Import(
      R"({"title": "One", "artists": ["A", "B"], "year": 1999, "plays": 12.5,
)"
      "\n"
      R"({"title": "One", "artists": ["A", "B"], "release_date": "1999-05-04", "plays": 12.5, "explicit": true, "note": null, "tags": ["x", 2], "deep": {"k": [1]}, "attributes": {"genre": "kept"}})"
      "\n \n"
      R"({"name": "Run", "tracks": [1, "track:2", "abc"]})"
      "\n",
      "a.jsonl");
  ASSERT_TRUE(imported.status.ok());
  EXPECT_THAT(imported.bad, ElementsAre(BadAt(1, "not JSON")));
  ASSERT_THAT(imported.entities, SizeIs(2));
  const Entity& track = imported.entities[0];
  EXPECT_EQ(track.artist, "A, B");
  EXPECT_EQ(track.year, 1999);
  EXPECT_EQ(track.popularity, 12.5);
  EXPECT_THAT(track.attributes,
              ElementsAre(Pair("deep", "{\"k\":[1]}"), Pair("explicit", "true"),
                          Pair("genre", "kept"), Pair("tags", "x, 2")));
  EXPECT_EQ(imported.entities[1].type, EntityType::kPlaylist);
  EXPECT_THAT(imported.entities[1].tracks,
              ElementsAre("track:1", "track:2", "track:abc"));
}

TEST(ImportTest, TypeFollowsFromTheColumns) {
  const Imported podcasts = Import(
      "id\tshow\tepisode\tpublisher\tcategory\tdescription\n"
      "1\tThe Daily\t\tNYT\tNews\tEvery day\n"
      "2\tThe Daily\tMonday\tNYT\tNews\tIt rained\n",
      "p.tsv");
  ASSERT_THAT(podcasts.entities, SizeIs(2));
  EXPECT_EQ(podcasts.entities[0].id, "show:1");
  EXPECT_EQ(podcasts.entities[0].title, "The Daily");
  EXPECT_EQ(podcasts.entities[0].artist, "NYT");
  EXPECT_EQ(podcasts.entities[1].id, "episode:2");
  EXPECT_EQ(podcasts.entities[1].title, "Monday");
  EXPECT_EQ(podcasts.entities[1].album, "The Daily");
  EXPECT_EQ(podcasts.entities[1].genre, "News");

  const Imported playlists =
      Import("title\ttracks\nCalm\t4|track:5| 6 |\nNone\t\n", "l.tsv");
  ASSERT_THAT(playlists.entities, SizeIs(2));
  EXPECT_EQ(playlists.entities[0].type, EntityType::kPlaylist);
  EXPECT_THAT(playlists.entities[0].tracks,
              ElementsAre("track:4", "track:5", "track:6"));
  EXPECT_EQ(playlists.entities[1].type, EntityType::kPlaylist);

  const Imported typed = Import(
      "type\ttitle\ttracks\nArtist\tNina Simone\t\ntrack\tFeeling Good\t\n"
      "song\tx\t\n",
      "t.tsv");
  EXPECT_EQ(typed.entities[0].type, EntityType::kArtist);
  EXPECT_EQ(typed.entities[1].type, EntityType::kTrack);
  EXPECT_THAT(typed.bad, ElementsAre(BadAt(4, "type \"song\" is none of")));

  ImportOptions options;
  options.type = EntityType::kArtist;
  const Imported forced =
      Import("artist\tn_tracks\nQueen\t312\n", "a.tsv", options);
  ASSERT_TRUE(forced.status.ok()) << forced.status;
  EXPECT_EQ(forced.entities[0].title, "Queen");
  EXPECT_EQ(forced.entities[0].artist, "");
  EXPECT_THAT(forced.entities[0].attributes,
              ElementsAre(Pair("n_tracks", "312")));
}

TEST(ImportTest, MapOverridesNamesAndAliases) {
  ImportOptions options;
  options.map = {{"Song Name", "title"}, {"title", "subtitle"}, {"junk", "-"}};
  const std::string text = "song name,title,junk,artist\nA,B,C,D\n";
  const Imported imported = Import(text, "a.csv", options);
  ASSERT_TRUE(imported.status.ok()) << imported.status;
  EXPECT_EQ(imported.entities[0].title, "A");
  EXPECT_THAT(imported.entities[0].attributes,
              ElementsAre(Pair("subtitle", "B")));
  options.map = {{"songname", "title"}};
  const Imported wrong = Import(text, "a.csv", options);
  EXPECT_THAT(Message(wrong.status),
              AllOf(HasSubstr("no column \"songname\""),
                    HasSubstr("song_name, title, junk, artist")));
}

TEST(ImportTest, FirstColumnThatClaimsAFieldHasIt) {
  const Imported imported = Import(
      "composer,artist,library,title\nLennon,Beatles,EMI,Help!\n", "a.csv");
  EXPECT_EQ(imported.entities[0].artist, "Beatles");
  EXPECT_THAT(imported.entities[0].attributes,
              ElementsAre(Pair("composer", "Lennon"), Pair("library", "EMI")));
}

TEST(ImportTest, HeaderWithoutTitleIsRefusedWithItsColumns) {
  const Imported imported = Import("artist\tn\nQueen\t3\n", "a.tsv");
  EXPECT_EQ(imported.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(imported.status),
              AllOf(HasSubstr("a.tsv:1"), HasSubstr("artist, n")));
}

TEST(ImportTest, PopularityFromTheRowOrderFallsAndStaysPositive) {
  ImportOptions options;
  options.popularity = PopularityFrom::kRowOrder;
  const Imported imported =
      Import("title\tyear\tpopularity\na\t\t7\nb\tsoon\t8\nc\t\t9\n", "a.tsv",
             options);
  ASSERT_THAT(imported.entities, SizeIs(2));
  EXPECT_EQ(imported.entities[0].popularity, 1.0);
  EXPECT_EQ(imported.entities[1].popularity, 1.0 / 3);
}

TEST(ImportTest, IdsAreStableAndPrefixed) {
  const Imported once = Import("title,artist\nHalo,Beyoncé\n", "a.csv");
  const Imported again = Import("artist,title\nBEYONCE,halo!\n", "b.csv");
  EXPECT_EQ(once.entities[0].id, again.entities[0].id);
  EXPECT_THAT(once.entities[0].id, HasSubstr("track:"));
  ImportOptions options;
  options.id_prefix = "pm-";
  const Imported prefixed =
      Import("id,title,tracks,type\n1,x,7|track:8,playlist\ntrack:2,y,,track\n",
             "a.csv", options);
  EXPECT_EQ(prefixed.entities[0].id, "playlist:pm-1");
  EXPECT_THAT(prefixed.entities[0].tracks,
              ElementsAre("track:pm-7", "track:8"));
  EXPECT_EQ(prefixed.entities[1].id, "track:2") << "whole already";
}

TEST(ImportTest, OneFileCannotOverwriteAnother) {
  SeenIds seen;
  Import("id,title\n1,Loser\n2,Epic\n", "a.csv", {}, &seen);
  const Imported other =
      Import("id,title,artist\n1,Library Bed,X\n2,EPIC,\n3,New,\n", "b.csv", {},
             &seen);
  EXPECT_THAT(Titles(other), ElementsAre("EPIC", "New"));
  ASSERT_THAT(other.bad, ElementsAre(BadAt(2, "track:1")));
  EXPECT_THAT(other.bad[0].reason, HasSubstr("a.csv"));
}

TEST(ImportTest, BadLinesCostNothingElse) {
  std::string text = "title\tyear\tpopularity\n";
  text += "good 1\t1999\t1\n";                          // 2
  text += "\t1999\t1\n";                                // 3
  text += "two columns\t1999\n";                        // 4
  text += "year\t19999\t\n";                            // 5
  text += "year\tMCMXCIX\t\n";                          // 6
  text += "popularity\t\tnan\n";                        // 7
  text += std::string(3000, 'n') + "\t\t\n";            // 8
  text += std::string(kMaxLineBytes + 1, 'l') + "\n";   // 9
  text += "\n\r\n";                                     // 10, 11: not rows
  text += "good \xff\xfe\x80 2\t0\t-1e3\r\n";           // 12
  text += std::string("nul\0l", 5) + "\t2001-02-03\t";  // 13, no line end
  const Imported imported = Import(text, "a.tsv");
  ASSERT_TRUE(imported.status.ok()) << imported.status;
  EXPECT_THAT(imported.bad, ElementsAre(BadAt(3, "title is missing"),
                                        BadAt(4, "2 columns, the header has 3"),
                                        BadAt(5, "year \"19999\""),
                                        BadAt(6, "year \"MCMXCIX\""),
                                        BadAt(7, "popularity \"nan\""),
                                        BadAt(8, "title has 3000 bytes"),
                                        BadAt(9, "longer than 1048576 bytes")));
  EXPECT_EQ(imported.bad[6].text.size(), 1000u);
  ASSERT_THAT(imported.entities, SizeIs(3));
  EXPECT_THAT(imported.entities[1].title, HasSubstr("\xef\xbf\xbd"));
  EXPECT_EQ(imported.entities[1].popularity, -1000);
  EXPECT_EQ(imported.entities[2].title, "nul l");
  EXPECT_EQ(imported.entities[2].year, 2001);
  EXPECT_EQ(imported.stats.bad_lines, 7);
}

TEST(ImportTest, HostileJsonIsReportedByField) {
  const std::string deep = std::string(500'000, '[');
  const Imported imported = Import(
      "{\"title\":{\"a\":1}}\n{\"title\":\"t\",\"year\":true}\n"
      "{\"title\":\"t\",\"tracks\":[{}]}\n[1]\n\"x\"\n"
      "{\"title\":\"t\",\"popularity\":1e999}\n{\"title\":\"\\ud800\"}\n"
      "{\"title\":\"t\",\"x\":" +
          deep + "}\n{\"title\":\"t\",\"x\":" + deep +
          std::string(500'000, ']') +
          "}\n"
          "{\"title\":\"ok\x01\xff\"}\n",
      "a.jsonl");
  EXPECT_THAT(
      imported.bad,
      ElementsAre(BadAt(1, "title must be a text, not object"),
                  BadAt(2, "year must be a number, not boolean"),
                  BadAt(3, "tracks must be a list of ids, not object"),
                  BadAt(4, "an array"), BadAt(5, "a string"),
                  BadAt(6, "number overflow"), BadAt(7, "not JSON"),
                  BadAt(8, "not JSON"), BadAt(9, "nested deeper than")));
  EXPECT_THAT(Titles(imported), ElementsAre("ok \xef\xbf\xbd"));
}

TEST(ImportTest, FormatFollowsFromNameThenContent) {
  const std::string csv = "title,artist\na\tb,c\n";
  for (const char* name : {"x.CSV", "x.csv.gz", "x.csv.zst", "x", "x.txt.gz"}) {
    EXPECT_THAT(Titles(Import(csv, name)), ElementsAre("a b")) << name;
  }
  EXPECT_THAT(Titles(Import("title\tx\na,b\tc\n", "x")), ElementsAre("a,b"));
  EXPECT_THAT(Titles(Import("\n{\"title\":\"a\"}\n", "x")), ElementsAre("a"));
  ImportOptions options;
  options.format = FileFormat::kTsv;
  EXPECT_THAT(Titles(Import("title\na,\"b\n", "x.csv", options)),
              ElementsAre("a,\"b"));
}

TEST(ImportTest, OtherEncodingsAndWholeArraysAreNamed) {
  EXPECT_THAT(Message(Import("\xff\xfet\0i\0", "x.csv").status),
              HasSubstr("UTF-16"));
  EXPECT_THAT(Message(Import("[{\"title\":\"a\"}]", "x.json").status),
              HasSubstr("one object a line"));
}

TEST(ImportTest, EmptyFilesHoldNothing) {
  for (const char* text : {"", "\n\n", "\xef\xbb\xbf", "title,artist\n"}) {
    const Imported imported = Import(text, "x.csv");
    EXPECT_TRUE(imported.status.ok()) << imported.status;
    EXPECT_THAT(imported.entities, IsEmpty());
  }
}

}  // namespace
}  // namespace quaver
