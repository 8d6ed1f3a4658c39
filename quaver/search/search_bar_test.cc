// Tests of the search bar over small real segments.
#include "quaver/search/search_bar.h"

#include <cmath>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/search/filter.h"
#include "quaver/search/highlight.h"
#include "quaver/search/query.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr size_t kDimension = 64;

// Texts that share words lie near each other: the sum of a random vector for
// each word, drawn from the word's hash.
std::vector<float> WordVector(const std::string& text) {
  std::vector<float> sum(kDimension, 1e-3f);
  const std::string normalized = Normalize(text);
  for (const std::string_view word : SplitWords(normalized)) {
    Random random(Hash64(word));
    for (float& value : sum) value += static_cast<float>(random.Normal());
  }
  double square = 0;
  for (const float value : sum) square += value * value;
  for (float& value : sum) value /= static_cast<float>(std::sqrt(square));
  return sum;
}

class WordEncoder : public Servable {
 public:
  std::vector<TensorSpec> inputs() const override {
    return {{"TEXT", Datatype::kBytes, {-1}}};
  }
  std::vector<TensorSpec> outputs() const override {
    return {{"EMBEDDING", Datatype::kFp32, {-1, kDimension}}};
  }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request, const CallOptions&,
                                CallTimes*) override {
    Tensor output{.name = "EMBEDDING", .datatype = Datatype::kFp32};
    for (const std::string& text : request.at(0).strings) {
      const std::vector<float> vector = WordVector(text);
      const auto* bytes = reinterpret_cast<const std::byte*>(vector.data());
      output.raw.insert(output.raw.end(), bytes,
                        bytes + vector.size() * sizeof(float));
    }
    output.shape = {static_cast<int64_t>(request[0].strings.size()),
                    kDimension};
    return Tensors{output};
  }
};

Document Make(EntityType type, const std::string& id, const std::string& title,
              const std::string& artist, float popularity) {
  Document document{.type = static_cast<uint8_t>(type),
                    .id = std::string(Name(type)) + ":" + id,
                    .title = title,
                    .artist = artist,
                    .popularity = popularity};
  if (type != EntityType::kArtist && type != EntityType::kAlbum) {
    document.embedding = WordVector(title + " " + artist);
  }
  return document;
}

std::vector<Document> Catalogue() {
  using enum EntityType;
  std::vector<Document> documents = {
      Make(kTrack, "1", "Hey Jude", "The Beatles", 0.99f),
      Make(kTrack, "2", "Help!", "The Beatles", 0.9f),
      Make(kTrack, "3", "Hey Joe", "Jimi Hendrix", 0.95f),
      Make(kTrack, "4", "Déjà Vu", "Beyoncé", 0.8f),
      Make(kTrack, "5", "Everybody Wants to Rule the World", "Tears for Fears",
           0.97f),
      Make(kTrack, "6", "夜に駆ける", "YOASOBI", 0.7f),
      Make(kTrack, "7", "Beat It", "Michael Jackson", 0.98f),
      Make(kArtist, "1", "The Beatles", "", 0.99f),
      Make(kArtist, "2", "Beyoncé", "", 0.98f),
      Make(kShow, "1", "Global News Podcast", "BBC World Service", 0.9f),
      Make(kPlaylist, "1", "Rainy Days", "", 0.5f)};
  documents[0].genre = "Rock";
  documents[0].year = 1968;
  documents[3].genre = "Pop";
  documents[3].year = 2006;
  return documents;
}

std::shared_ptr<const Segment> BuildSegment(std::vector<Document> documents) {
  SegmentBuilder builder({.dimension = kDimension, .vectors = {}});
  for (Document& document : documents) {
    EXPECT_TRUE(builder.Add(std::move(document)).ok());
  }
  auto artifact = Artifact::FromBytes(builder.Finish().value().Serialize(),
                                      kSegmentFormat, kSegmentVersion);
  return Segment::FromArtifact(*artifact, BestKernels()).value();
}

class SearchBarTest : public testing::Test {
 protected:
  void SetUp() override {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->segments.push_back({BuildSegment(Catalogue()), nullptr});
    SetSnapshot(snapshot);
    ASSERT_TRUE(
        servables_.Add("encoder", std::make_shared<WordEncoder>()).ok());
    bar_ =
        SearchBar::Create({}, servables_, [this] { return snapshot_; }).value();
  }
  void SetSnapshot(std::shared_ptr<const Snapshot> snapshot) {
    snapshot_ = std::move(snapshot);
  }
  SearchResponse Search(SearchRequest request) {
    return bar_->Search(request).value();
  }
  std::string BestId(const std::string& query) {
    const auto response = Search({.query = query});
    return response.best ? response.best->id : "";
  }

  ServableRegistry servables_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::unique_ptr<SearchBar> bar_;
};

// What runs ahead is what would have been found without it, whether the guess
// was right or not.
TEST_F(SearchBarTest, MeaningIsThatOfWhatIsSearchedFor) {
  for (const char* text : {"hay jued", "hey jude", "Beyonce deja vuu", "zzzqqq",
                           "夜に駆ける", "helpp beatles"}) {
    const auto corrected = Search({.query = text});
    const std::string meant = corrected.correction.applied
                                  ? corrected.correction.text
                                  : std::string(text);
    const auto direct = Search({.query = meant, .correct = false});
    ASSERT_EQ(corrected.best.has_value(), direct.best.has_value()) << text;
    if (!corrected.best) continue;
    EXPECT_EQ(corrected.best->id, direct.best->id) << text;
    EXPECT_EQ(corrected.best->score, direct.best->score) << text;
  }
}

TEST_F(SearchBarTest, FindsNamesAsPeopleTypeThem) {
  EXPECT_EQ(BestId("hey jude"), "track:1");
  EXPECT_EQ(BestId("HEY JUDE beatles"), "track:1");
  EXPECT_EQ(BestId("hay jued"), "track:1");
  EXPECT_EQ(BestId("heyjude"), "track:1");
  EXPECT_EQ(BestId("be at it"), "track:7");
  EXPECT_EQ(BestId("deja vu"), "track:4");
  EXPECT_EQ(BestId("evrybody wants to rul the wor"), "track:5");
  EXPECT_EQ(BestId("夜に駆ける"), "track:6");
  EXPECT_EQ(BestId("jimi joe"), "track:3");
  EXPECT_EQ(BestId("news podcast"), "show:1");
}

// Swapped letters leave a short word hardly an n-gram.
TEST_F(SearchBarTest, ShortWordsWithASlipAreGuessed) {
  EXPECT_EQ(BestId("hlep"), "track:2");
  EXPECT_EQ(BestId("ehlp"), "track:2");
}

TEST_F(SearchBarTest, AnArtistsWholeNameMeansTheArtist) {
  EXPECT_EQ(BestId("the beatles"), "artist:1");
  EXPECT_EQ(BestId("beyonce"), "artist:2");
  EXPECT_EQ(BestId("beatles help"), "track:2");
}

// No title says so; the genre does, in another form of the word.
TEST_F(SearchBarTest, BroadQueriesAreAnsweredByGenre) {
  auto documents = Catalogue();
  for (int i = 0; i < 3; ++i) {
    Document& document = documents.emplace_back(
        Make(EntityType::kShow, fmt::format("c{}", i),
             fmt::format("Evening number {}", i), "Somebody", 0.1f));
    document.genre = "Comedy";
    document.description = "Jokes told by people on a stage";
  }
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->segments.push_back({BuildSegment(std::move(documents)), nullptr});
  SetSnapshot(snapshot);
  const auto response =
      Search({.query = "a comedy with people telling a joke"});
  ASSERT_TRUE(response.best);
  EXPECT_EQ(response.best->genre, "Comedy");
}

TEST_F(SearchBarTest, NoiseFindsNothing) {
  const auto response = Search({.query = "zzqxv kkw", .meaning = false});
  EXPECT_FALSE(response.best.has_value());
  EXPECT_THAT(response.sections, IsEmpty());
}

TEST_F(SearchBarTest, EmptyQueryGivesThePopular) {
  const auto response = Search({.query = "  "});
  ASSERT_FALSE(response.sections.empty());
  EXPECT_EQ(Search({.query = "", .types = {EntityType::kTrack}})
                .sections.at(0)
                .hits.at(0)
                .id,
            "track:1");
}

TEST_F(SearchBarTest, AnyBytesAndAnyLengthAreAnswered) {
  for (const std::string& query :
       {std::string("\xFF\xFE\x00zz", 5), std::string(100'000, 'a'),
        std::string(3000, ' '), std::string("!!!"),
        std::string(2000, '\xF0')}) {
    EXPECT_TRUE(bar_->Search({.query = query}).ok());
    EXPECT_TRUE(bar_->Suggest(query).ok());
  }
}

TEST_F(SearchBarTest, TypesFilterAndFacets) {
  const auto tracks =
      Search({.query = "beatles", .types = {EntityType::kTrack}});
  ASSERT_EQ(tracks.sections.size(), 1u);
  EXPECT_EQ(tracks.sections[0].type, EntityType::kTrack);
  const auto old = Search({.query = "",
                           .filter = ParseFilter("year:1960..1969").value(),
                           .facets = true});
  ASSERT_EQ(old.sections.size(), 1u);
  EXPECT_EQ(old.sections[0].hits.at(0).id, "track:1");
  EXPECT_EQ(old.facets.at("genre").at(0).value, "Rock");
  EXPECT_EQ(old.facets.at("year").at(0).value, "1968");
}

TEST_F(SearchBarTest, PagesDoNotOverlap) {
  const SearchRequest first{
      .query = "", .types = {EntityType::kTrack}, .limit = 2};
  SearchRequest second = first;
  second.offset = 2;
  const auto a = Search(first).sections.at(0).hits;
  const auto b = Search(second).sections.at(0).hits;
  ASSERT_EQ(a.size(), 2u);
  ASSERT_EQ(b.size(), 2u);
  EXPECT_NE(a[0].id, b[0].id);
  EXPECT_NE(a[1].id, b[0].id);
}

TEST_F(SearchBarTest, LimitsAreCheckedByName) {
  EXPECT_THAT(Message(bar_->Search({.query = "a", .limit = 0}).status()),
              HasSubstr("limit"));
  EXPECT_THAT(Message(bar_->Search({.query = "a", .offset = -1}).status()),
              HasSubstr("offset"));
}

TEST_F(SearchBarTest, ExplainsLegsFeaturesAndTimes) {
  const auto response = Search({.query = "hey jude", .explain = true});
  EXPECT_FALSE(response.best->legs.empty());
  EXPECT_EQ(response.best->features.at(0).first, "words");
  EXPECT_NEAR(response.best->features[0].second, 1, 1e-6);
  EXPECT_EQ(response.timing_us.back().first, "total");
}

TEST_F(SearchBarTest, DeletedAndReplacedDocumentsAreNotFound) {
  auto snapshot = std::make_shared<Snapshot>(*snapshot_);
  const auto& segment = *snapshot->segments[0].segment;
  auto deleted = std::make_shared<Tombstones>(segment.num_documents());
  deleted->Set(*segment.Find("track:1"));
  snapshot->segments[0].deleted = deleted;
  SetSnapshot(snapshot);
  EXPECT_NE(BestId("hey jude"), "track:1");
  auto next = std::make_shared<Snapshot>(*snapshot);
  next->segments.push_back(
      {BuildSegment({Make(EntityType::kTrack, "1", "Hey Jude (new)",
                          "The Beatles", 0.9f)}),
       nullptr});
  SetSnapshot(next);
  EXPECT_EQ(Search({.query = "hey jude"}).best->title, "Hey Jude (new)");
}

TEST_F(SearchBarTest, SuggestsCompletionsOnce) {
  const auto suggestions = bar_->Suggest("he").value();
  ASSERT_GE(suggestions.size(), 2u);
  EXPECT_EQ(suggestions[0].text, "Hey Jude");
  EXPECT_EQ(suggestions[1].text, "Hey Joe");
  EXPECT_TRUE(suggestions[0].completion);
  EXPECT_THAT(bar_->Suggest("").value(), IsEmpty());
  EXPECT_LE(bar_->Suggest("the b").value().size(), 8u);
}

TEST_F(SearchBarTest, SuggestsTheArtistBeforeSongsOfThatName) {
  auto documents = Catalogue();
  documents.push_back(
      Make(EntityType::kTrack, "8", "Beyonce", "Somebody", 0.999f));
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->segments.push_back({BuildSegment(std::move(documents)), nullptr});
  SetSnapshot(snapshot);
  const auto suggestions = bar_->Suggest("beyonce").value();
  ASSERT_FALSE(suggestions.empty());
  EXPECT_EQ(suggestions[0].id, "artist:2");
}

TEST_F(SearchBarTest, MissingEncoderIsNamed) {
  const auto bar = SearchBar::Create({.encoder = "none"}, servables_,
                                     [this] { return snapshot_; });
  EXPECT_EQ(bar.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(bar.status()), HasSubstr("none"));
}

TEST(HighlightTest, MarksBytesOfTheOriginal) {
  std::vector<Highlight> marks;
  const std::string title = "Déjà Vu (Live)";
  AddHighlights(PrepareQuery("deja v"), "title", title, marks);
  ASSERT_EQ(marks.size(), 2u);
  EXPECT_EQ(title.substr(marks[0].begin, marks[0].end - marks[0].begin),
            "Déjà");
  EXPECT_EQ(title.substr(marks[1].begin, marks[1].end - marks[1].begin), "V");
}

TEST(HighlightTest, MisspelledWordsAreMarkedWhole) {
  std::vector<Highlight> marks;
  AddHighlights(PrepareQuery("beetles "), "artist", "The Beatles", marks);
  ASSERT_EQ(marks.size(), 1u);
  EXPECT_EQ(marks[0].begin, 4u);
  EXPECT_EQ(marks[0].end, 11u);
}

TEST(FilterTest, ParsesAndNamesWhatItDoesNotUnderstand) {
  const auto filter = ParseFilter("genre:Rock|Pop;year:1980..;type:track");
  ASSERT_TRUE(filter.ok());
  EXPECT_EQ(filter->genres.size(), 2u);
  EXPECT_EQ(filter->min_year, 1980);
  EXPECT_FALSE(filter->max_year.has_value());
  EXPECT_TRUE(ParseFilter("")->accepts_all());
  for (const char* bad : {"colour:red", "genre", "year:abc", "year:..",
                          "type:song", "genre:", "year:1980..x"}) {
    EXPECT_FALSE(ParseFilter(bad).ok()) << bad;
  }
  EXPECT_THAT(Message(ParseFilter("colour:red").status()),
              HasSubstr("colour:red"));
}

TEST(QueryTest, WordsPairsAndOpenness) {
  const Query query = PrepareQuery("Tears For");
  ASSERT_EQ(query.words.size(), 2u);
  EXPECT_EQ(query.joined.at(0).text, "tearsfor");
  EXPECT_TRUE(query.open);
  EXPECT_FALSE(PrepareQuery("tears for ").open);
  EXPECT_LT(query.words[1].weight, 3);  // a filler
}

}  // namespace
}  // namespace quaver
