// Tests of index, encoder and relevance figures over a real small index, with
// an encoder whose embeddings are bags of hashed words.
#include "quaver/eval/relevance_eval.h"

#include <cmath>
#include <cstring>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/eval/encoder_eval.h"
#include "quaver/eval/index_eval.h"
#include "quaver/eval/small_index.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

constexpr size_t kDimension = 64;

// Texts that share words are near; "car" and "auto" are one word to it.
class WordBagEncoder : public Servable {
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
    const auto& texts = request.at(0).strings;
    std::vector<float> values;
    for (const std::string& text : texts) {
      const std::vector<float> one = Embed(text);
      values.insert(values.end(), one.begin(), one.end());
    }
    Tensor output = {.name = "EMBEDDING",
                     .datatype = Datatype::kFp32,
                     .shape = {static_cast<int64_t>(texts.size()), kDimension},
                     .strings = {},
                     .raw = std::vector<std::byte>(values.size() * 4)};
    std::memcpy(output.raw.data(), values.data(), output.raw.size());
    return Tensors{output};
  }

 private:
  static std::vector<float> Embed(const std::string& text) {
    std::vector<float> sum(kDimension, 1e-3f);
    const std::string normalized = Normalize(text);
    for (const std::string_view word : SplitWords(normalized)) {
      Random random(Hash64(word == "auto" ? "car" : word));
      for (float& value : sum) value += static_cast<float>(random.Normal());
    }
    double square = 0;
    for (const float value : sum) square += value * value;
    for (float& value : sum) value /= static_cast<float>(std::sqrt(square));
    return sum;
  }
};

std::string Folder(const std::string& name) {
  const std::string path = testing::TempDir() + "/quaver_relevance_" + name;
  std::filesystem::remove_all(path);
  EXPECT_TRUE(MakeFolders(path).ok());
  return path;
}

JudgedCollection Collection() {
  JudgedCollection collection = {.type = EntityType::kShow};
  const std::string topics[] = {"red car race",   "blue whale song",
                                "stone age tool", "gold price news",
                                "bread and salt", "winter moon story"};
  for (int i = 0; i < 6; ++i) {
    collection.entities.push_back({.type = EntityType::kShow,
                                   .id = fmt::format("show:{}", i),
                                   .title = topics[i],
                                   .description = topics[i]});
  }
  for (int i = 6; i < 26; ++i) {
    collection.entities.push_back({.type = EntityType::kShow,
                                   .id = fmt::format("show:{}", i),
                                   .title = fmt::format("filler{}", i)});
  }
  collection.queries = {{"blue whale", {{"show:1", 4.0}}},
                        {"auto", {{"show:0", 4.0}, {"show:3", 1.0}}}};
  return collection;
}

TEST(RelevanceEvalTest, MeasuresEveryLegOnTheSameQueries) {
  const auto report =
      RunRelevanceEval(Collection(), std::make_shared<WordBagEncoder>());
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->legs.size(), 3u);
  EXPECT_EQ(report->documents, 26u);
  EXPECT_EQ(report->legs[0].leg, "words");
  EXPECT_DOUBLE_EQ(report->legs[0].success_at_10.value, 0.5);  // no "auto"
  EXPECT_DOUBLE_EQ(report->legs[1].success_at_10.value, 1);
  // "blue whale" is perfect; "auto" finds the gain of 4 first, that of 1 maybe.
  EXPECT_GT(report->legs[1].ndcg_at_10.value, 0.9);
  EXPECT_GE(report->legs[2].success_at_10.value, 0.5);
  EXPECT_NEAR(
      report->ndcg_over_words.value,
      report->legs[2].ndcg_at_10.value - report->legs[0].ndcg_at_10.value,
      1e-12);
  EXPECT_EQ(ToJson(*report)["queries"], 2);
  EXPECT_THAT(ToMarkdown(*report), HasSubstr("hybrid - vectors"));
}

TEST(RelevanceEvalTest, AnEmptyCollectionIsRefused) {
  EXPECT_FALSE(RunRelevanceEval({}, std::make_shared<WordBagEncoder>()).ok());
}

TEST(RelevanceEvalTest, ReadsCranfieldWithTheBestCodeFirst) {
  const std::string folder = Folder("cranfield");
  ASSERT_TRUE(WriteFileAtomically(folder + "/docs.tsv",
                                  "doc_id\ttitle\ttext\n"
                                  "7\tflow\tflow past a plate\n")
                  .ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/queries.tsv",
                                  "query_id\ttext\n1\tplates\n")
                  .ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/qrels.tsv",
                                  "query_id\tdoc_id\tcode\n"
                                  "1\t7\t1\n1\t8\t4\n1\t9\t-1\n")
                  .ok());
  const auto collection = ReadCranfield(folder);
  ASSERT_TRUE(collection.ok()) << collection.status();
  ASSERT_EQ(collection->entities.size(), 1u);
  EXPECT_EQ(collection->entities[0].description, " past a plate");
  const std::map<std::string, double> expected = {{"show:7", 4}, {"show:8", 1}};
  EXPECT_EQ(collection->queries[0].gains, expected);
  ASSERT_TRUE(WriteFileAtomically(folder + "/qrels.tsv",
                                  "query_id\tdoc_id\tcode\n2\t7\t1\n")
                  .ok());
  EXPECT_THAT(Message(ReadCranfield(folder).status()),
              HasSubstr("qrels.tsv:2: no query has the id '2'"));
}

TEST(RelevanceEvalTest, DescriptionsAreAskedForAndNotIndexed) {
  const std::string path = Folder("described") + "/m.tsv";
  std::string rows = "id\ttitle\tcomposer\talbum\tgenre\tdescription\n";
  for (int i = 0; i < 30; ++i) {
    rows += fmt::format("{}\tt{}\tc\ta\tg\tmood {}\n", i, i, i);
  }
  ASSERT_TRUE(WriteFileAtomically(path, rows + "x\ty\tz\ta\tg\t\n").ok());
  const auto collection = ReadDescribedTracks(path, 10, 1);
  ASSERT_TRUE(collection.ok()) << collection.status();
  EXPECT_EQ(collection->entities.size(), 31u);
  ASSERT_EQ(collection->queries.size(), 10u);
  for (const JudgedQuery& query : collection->queries) {
    ASSERT_EQ(query.gains.size(), 1u);
    EXPECT_EQ(query.gains.begin()->first, "track:" + query.text.substr(5));
  }
  for (const Entity& entity : collection->entities) {
    EXPECT_EQ(entity.description, "");
  }
}

std::vector<Entity> ManyTracks(int count) {
  std::vector<Entity> tracks;
  for (int i = 0; i < count; ++i) {
    tracks.push_back({.id = fmt::format("track:{}", i),
                      .title = fmt::format("word{} thing{}", i % 97, i),
                      .artist = fmt::format("name{}", i % 31)});
  }
  return tracks;
}

TEST(IndexEvalTest, RecallIsAgainstTheExactOrder) {
  WordBagEncoder encoder;
  const auto snapshot = IndexEntities(ManyTracks(600), &encoder);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  const std::vector<std::string> queries = {"word3", "thing20 name4",
                                            "name9 word50", "word96 thing1"};
  const auto good = RunIndexEval(**snapshot, encoder, queries,
                                 {.params = {.num_rerank = 600}});
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->vectors, 600u);
  EXPECT_EQ(good->dimension, kDimension);
  EXPECT_EQ(good->queries, 4u);
  EXPECT_DOUBLE_EQ(good->recall.value, 1);  // everything was reranked
  EXPECT_GT(good->queries_per_s, 0);
  const auto poor = RunIndexEval(**snapshot, encoder, queries,
                                 {.params = {.num_rerank = 10}});
  ASSERT_TRUE(poor.ok());
  EXPECT_LT(poor->recall.value, 1);  // one bit a dimension is not exact
  const auto exact =
      RunIndexEval(**snapshot, encoder, queries,
                   {.params = {.num_rerank = 600}, .reembed = true});
  ASSERT_TRUE(exact.ok()) << exact.status();
  EXPECT_GE(exact->recall.value, 0.9);  // int8 swaps what is almost equal
  EXPECT_EQ(ToJson(*exact)["recall_of"], "fp32");
  EXPECT_EQ(ToJson(*good)["depth"], 10);
  EXPECT_THAT(ToMarkdown(*good), HasSubstr("recall@10"));
}

TEST(IndexEvalTest, NeedsVectorsAndQueries) {
  WordBagEncoder encoder;
  const auto words_only = IndexEntities(ManyTracks(5), nullptr);
  ASSERT_TRUE(words_only.ok()) << words_only.status();
  EXPECT_THAT(Message(RunIndexEval(**words_only, encoder, {"a"}, {}).status()),
              HasSubstr("got 0 vectors and 1 queries"));
}

TEST(EncoderEvalTest, CorrelatesWithPeople) {
  WordBagEncoder encoder;
  const std::vector<SentencePair> pairs = {{5, "a red car", "a red auto"},
                                           {3, "a red car", "a red house"},
                                           {1, "a red car", "the old moon"}};
  const auto report = RunEncoderEval(pairs, encoder, &encoder);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_DOUBLE_EQ(report->spearman.value, 1);
  EXPECT_NEAR(report->least_cosine, 1, 1e-6);
  EXPECT_NEAR(report->mean_cosine, 1, 1e-6);
  EXPECT_EQ(ToJson(*report)["pairs"], 3);
  EXPECT_FALSE(RunEncoderEval({}, encoder, nullptr).ok());
}

TEST(EncoderEvalTest, ReadsSentencePairs) {
  const std::string path = Folder("sts") + "/s.tsv";
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "score\tsentence1\tsentence2\n"
                                  "4.5\ta b\tc\n")
                  .ok());
  const auto pairs = ReadSentencePairs(path);
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  EXPECT_EQ((*pairs)[0].score, 4.5);
  EXPECT_EQ((*pairs)[0].second, "c");
  ASSERT_TRUE(
      WriteFileAtomically(path, "score\tsentence1\tsentence2\nx\ta\tb\n").ok());
  EXPECT_THAT(Message(ReadSentencePairs(path).status()),
              HasSubstr("s.tsv:2: 'x' is not a number"));
}

}  // namespace
}  // namespace quaver
