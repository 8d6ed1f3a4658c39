// Tests of segments, their lexical part, snapshots and manifests.
#include "quaver/index/segment.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/index/manifest.h"
#include "quaver/index/snapshot.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Document Track(const std::string& id, const std::string& title,
               const std::string& artist, float popularity) {
  return {.type = 0,
          .id = id,
          .title = title,
          .artist = artist,
          .album = "Album of " + artist,
          .genre = "Rock",
          .year = 1969,
          .popularity = popularity};
}

std::vector<Document> Tracks() {
  return {Track("track:1", "Hey Jude", "The Beatles", 0.9f),
          Track("track:2", "Help!", "The Beatles", 0.5f),
          Track("track:3", "Hey Joe", "Jimi Hendrix", 0.8f)};
}

absl::StatusOr<ArtifactWriter> Build(std::vector<Document> documents,
                                     size_t dimension = 0) {
  SegmentBuilder builder({.dimension = dimension, .vectors = {}});
  for (Document& document : documents) {
    RETURN_IF_ERROR(builder.Add(std::move(document)));
  }
  return builder.Finish();
}

std::shared_ptr<const Segment> Make(std::vector<Document> documents) {
  auto artifact =
      Artifact::FromBytes(Build(std::move(documents)).value().Serialize(),
                          kSegmentFormat, kSegmentVersion);
  return Segment::FromArtifact(*artifact, BestKernels()).value();
}

TEST(SegmentTest, NumbersByTypeThenPopularity) {
  auto documents = Tracks();
  documents.push_back({.type = 1, .id = "artist:1", .title = "The Beatles"});
  const auto segment = Make(documents);
  EXPECT_EQ(segment->document(0).id, "track:1");
  EXPECT_EQ(segment->document(1).id, "track:3");
  EXPECT_EQ(segment->document(2).id, "track:2");
  EXPECT_EQ(segment->TypeRange(1), std::pair(3u, 4u));
  EXPECT_EQ(segment->TypeRange(7), std::pair(4u, 4u));
}

TEST(SegmentTest, KeepsEveryField) {
  const auto segment = Make(Tracks());
  const DocumentView document = segment->document(2);
  EXPECT_EQ(document.title, "Help!");
  EXPECT_EQ(document.album, "Album of The Beatles");
  EXPECT_EQ(document.genre, "Rock");
  EXPECT_EQ(document.year, 1969);
  EXPECT_EQ(segment->Find("track:2"), 2u);
  EXPECT_EQ(segment->Find("track:9"), std::nullopt);
}

TEST(SegmentTest, OrderOfAddingDoesNotMatter) {
  auto reversed = Tracks();
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(Build(Tracks())->Serialize(), Build(reversed)->Serialize());
}

TEST(SegmentTest, RefusesWhatDoesNotFit) {
  auto twice = Tracks();
  twice.push_back(twice[0]);
  EXPECT_EQ(Build(twice).status().code(), absl::StatusCode::kAlreadyExists);
  auto wide = Tracks();
  wide[0].embedding = {1, 0};
  EXPECT_THAT(Message(Build(wide, 3).status()), HasSubstr("track:1"));
}

TEST(SegmentTest, EmptyAndVectorlessSegmentsOpen) {
  EXPECT_EQ(Make({})->num_documents(), 0u);
  EXPECT_EQ(Make(Tracks())->vectors(), nullptr);
}

TEST(SegmentTest, DamagedFilesAreRefusedByName) {
  const std::string path = testing::TempDir() + "/damaged.qvs";
  std::string bytes = Build(Tracks())->Serialize();
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  ASSERT_TRUE(Segment::Open(path, BestKernels()).ok());
  bytes[bytes.size() - 3] ^= 1;
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  const auto damaged = Segment::Open(path, BestKernels());
  EXPECT_THAT(Message(damaged.status()), HasSubstr(path));
  ASSERT_TRUE(WriteFileAtomically(path, bytes.substr(0, 100)).ok());
  EXPECT_FALSE(Segment::Open(path, BestKernels()).ok());
}

TEST(LexicalTest, NamesTermsAndPrefixes) {
  const auto segment = Make(Tracks());
  const LexicalIndex& lexical = segment->lexical();
  const IdRange hey = lexical.NamePrefix("hey j");
  ASSERT_EQ(hey.size(), 2u);
  EXPECT_EQ(lexical.name(hey.begin), "hey joe");
  EXPECT_THAT(lexical.title_docs(hey.begin), ElementsAre(1));
  EXPECT_EQ(lexical.TermPrefix("j").size(), 3u);  // jimi, joe, jude
  EXPECT_EQ(lexical.TermPrefix("").size(), lexical.num_terms());
  EXPECT_FALSE(lexical.FindTerm("jud").has_value());
  const auto beatles = lexical.FindTerm("beatles");
  ASSERT_TRUE(beatles.has_value());
  EXPECT_THAT(lexical.postings(*beatles).docs, ElementsAre(0, 2));
}

TEST(LexicalTest, GramsLeadToNames) {
  const auto segment = Make(Tracks());
  const LexicalIndex& lexical = segment->lexical();
  std::vector<Gram> grams;
  ExtractGrams("hey", grams);
  EXPECT_EQ(grams.size(), 7u);  // _h he ey y_ _he hey ey_
  for (const Gram gram : grams) {
    const auto found = lexical.FindGram(gram);
    ASSERT_TRUE(found.has_value());
    EXPECT_GE(lexical.gram_names(*found).size(), 2u);
  }
  EXPECT_FALSE(lexical.FindGram(12345).has_value());
}

TEST(LexicalTest, RareTermsWeighMore) {
  const auto segment = Make(Tracks());
  const LexicalIndex& lexical = segment->lexical();
  EXPECT_GT(lexical.TermIdf(*lexical.FindTerm("jude")),
            lexical.TermIdf(*lexical.FindTerm("hey")));
}

TEST(SnapshotTest, FindsTheLiveDocument) {
  Snapshot snapshot;
  auto old = Make(Tracks());
  auto deleted = std::make_shared<Tombstones>(old->num_documents());
  deleted->Set(*old->Find("track:1"));
  snapshot.segments.push_back({old, deleted});
  snapshot.segments.push_back(
      {Make({Track("track:1", "Hey Jude!", "The Beatles", 0.9f)}), nullptr});
  EXPECT_EQ(snapshot.Find("track:1")->first, 1u);
  EXPECT_EQ(snapshot.Find("track:2")->first, 0u);
  EXPECT_EQ(snapshot.num_live(), 3u);
}

std::string Folder(const std::string& name) {
  const std::string path = testing::TempDir() + "/quaver_index_" + name;
  std::filesystem::remove_all(path);
  EXPECT_TRUE(MakeFolders(path).ok());
  return path;
}

TEST(ManifestTest, RoundTrip) {
  const std::string folder = Folder("manifest");
  EXPECT_TRUE(absl::IsNotFound(LoadManifest(folder).status()));
  const Manifest manifest{.model = "minilm",
                          .model_hash = "00ff",
                          .dimension = 384,
                          .sequence = 17,
                          .popularity = {{1, 2.5}, {}},
                          .segments = {{"segment-a.qvs", 5, {1, 4}}}};
  ASSERT_TRUE(SaveManifest(folder, manifest).ok());
  const auto loaded = LoadManifest(folder);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(*loaded == manifest);
}

TEST(ManifestTest, RefusesDamageByField) {
  const std::string folder = Folder("bad_manifest");
  const auto load = [&](const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(folder + "/index.json", text).ok());
    return Message(LoadManifest(folder).status());
  };
  EXPECT_THAT(load("{"), HasSubstr("not an index"));
  EXPECT_THAT(load("[]"), HasSubstr("not an index"));
  EXPECT_THAT(load(R"({"format":"quaver.index","version":99})"),
              HasSubstr("version 99"));
  EXPECT_THAT(load(R"({"format":"quaver.index","version":1,"model":3})"),
              HasSubstr("'model'"));
  EXPECT_THAT(load(R"({"format":"quaver.index","version":1,"model":"m",
               "model_hash":"h","dimension":1,"sequence":1,"popularity":[],
               "segments":[{"file":"../x","documents":1,"deleted":[]}]})"),
              HasSubstr("'file'"));
}

// Such numbers used to be wrapped or rounded to others.
TEST(ManifestTest, RefusesNumbersOutOfRange) {
  const auto parse = [](const std::string& header, const std::string& segment) {
    const auto manifest = ParseManifest(
        R"({"format":"quaver.index","version":1,"model":"m","model_hash":"h",)" +
            header + R"("segments":[{)" + segment + "}]}",
        "index.json");
    return Message(manifest.status());
  };
  const std::string header =
      R"("dimension":8,"sequence":1,"popularity":[[0.5]],)";
  const std::string segment = R"("file":"a","documents":5,"deleted":[1])";
  EXPECT_EQ(parse(header, segment), "");
  for (const char* bad : {"-1", "2049", "8.5", "1e300", "true", "4294967304"}) {
    EXPECT_THAT(parse(fmt::format(R"("dimension":{},)", bad), segment),
                HasSubstr("'dimension'"));
  }
  for (const char* bad : {"-1", "1e300", "18446744073709551616"}) {
    EXPECT_THAT(
        parse(fmt::format(R"("dimension":8,"sequence":{},)", bad), segment),
        HasSubstr("'sequence'"));
  }
  for (const char* bad : {"-1", "4294967301"}) {
    EXPECT_THAT(parse(header, fmt::format(R"("file":"a","documents":{})", bad)),
                HasSubstr("'documents'"));
  }
  for (const char* bad : {"5", "-1", "4294967297", "1,1", "2,1", "null"}) {
    EXPECT_THAT(
        parse(header,
              fmt::format(R"("file":"a","documents":5,"deleted":[{}])", bad)),
        HasSubstr("'deleted'"));
  }
  EXPECT_THAT(parse(header, R"("file":"a\u0000b","documents":5)"),
              HasSubstr("'file'"));
  EXPECT_NE(
      parse(R"("dimension":8,"sequence":1,"popularity":[[1e999]],)", segment),
      "");
}

TEST(ManifestTest, UnusedFilesAreRemoved) {
  const std::string folder = Folder("unused");
  for (const char* name : {"segment-a.qvs", "segment-b.qvs", "x.tmp", "keep"}) {
    ASSERT_TRUE(WriteFileAtomically(folder + "/" + name, "").ok());
  }
  Manifest manifest;
  manifest.segments.push_back({"segment-a.qvs", 0, {}});
  EXPECT_EQ(RemoveUnusedFiles(folder, manifest), 0);
  EXPECT_TRUE(std::filesystem::exists(folder + "/segment-a.qvs"));
  EXPECT_TRUE(std::filesystem::exists(folder + "/keep"));
  EXPECT_FALSE(std::filesystem::exists(folder + "/segment-b.qvs"));
  EXPECT_FALSE(std::filesystem::exists(folder + "/x.tmp"));
}

}  // namespace
}  // namespace quaver
