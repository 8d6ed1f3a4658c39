// The vector index against exact search, and what it refuses.
#include "quaver/index/vector.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/index/internal/edited_tensors.h"
#include "quaver/index/internal/vector_fuzz.h"
#include "quaver/index/vector_measure.h"

namespace quaver {
namespace {

using testing::HasSubstr;

constexpr char kFormat[] = "quaver.test";

// Unit vectors around random centres, which lie around a common one, as
// sentence embeddings do.
std::vector<float> Clustered(size_t N, size_t D, uint64_t seed) {
  constexpr size_t kNumCentres = 40;
  Random centre_random(77);  // queries and vectors share the centres
  std::vector<float> centres(kNumCentres * D);
  for (float& value : centres) {
    value = static_cast<float>(0.5 + centre_random.Normal());
  }
  Random random(seed);
  std::vector<float> vectors(N * D);
  for (size_t row = 0; row < N; ++row) {
    const float* centre = &centres[random.Below(kNumCentres) * D];
    float* vector = &vectors[row * D];
    double squares = 0;
    for (size_t i = 0; i < D; ++i) {
      vector[i] = centre[i] + static_cast<float>(random.Normal());
      squares += double{vector[i]} * vector[i];
    }
    for (size_t i = 0; i < D; ++i) {
      vector[i] /= static_cast<float>(std::sqrt(squares));
    }
  }
  return vectors;
}

std::string Build(std::span<const float> vectors, size_t D,
                  const VectorConfig& config, bool backwards = false) {
  VectorIndexBuilder builder(D, config);
  const auto N = static_cast<uint32_t>(vectors.size() / D);
  for (uint32_t i = 0; i < N; ++i) {
    const uint32_t item = backwards ? N - 1 - i : i;
    EXPECT_TRUE(builder.Add(item, vectors.subspan(item * D, D)).ok());
  }
  EXPECT_EQ(builder.size(), N);
  ArtifactWriter writer(kFormat, 1);
  EXPECT_TRUE(builder.Write(writer).ok());
  return writer.Serialize();
}

std::unique_ptr<const VectorIndex> OpenIndex(
    std::string bytes, const Kernels& kernels = BestKernels()) {
  auto artifact = Artifact::FromBytes(std::move(bytes), kFormat, 1);
  EXPECT_TRUE(artifact.ok()) << artifact.status();
  auto index = VectorIndex::Open(*std::move(artifact), kernels);
  EXPECT_TRUE(index.ok()) << index.status();
  return *std::move(index);
}

VectorConfig WithLists(size_t items_per_list) {
  VectorConfig config;
  config.exhaustive_below = 0;
  config.items_per_list = items_per_list;
  return config;
}

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

class VectorIndexTest : public testing::Test {
 protected:
  static constexpr size_t D = 96, N = 6000, Q = 100;
  const std::vector<float> vectors_ = Clustered(N, D, 1);
  const std::vector<float> queries_ = Clustered(Q, D, 2);

  std::span<const float> query(size_t i) const {
    return std::span(queries_).subspan(i * D, D);
  }
  double Recall(const VectorIndex& index, const VectorParams& params) const {
    const Kernels& kernels = BestKernels();
    const ExactSearch exact =
        SearchExactly(vectors_, queries_, D, 10, 2, kernels);
    return Mean(
        MeasureVectorIndex(index, vectors_, queries_, exact, params, kernels)
            .recall);
  }
};

// Measured: 0.985 with one list, 0.991 with many; 0.39 with the fewest probes.
// Codes have a quarter of the bits that embeddings of 384 numbers get.
TEST_F(VectorIndexTest, RecallOfOneList) {
  const auto index = OpenIndex(Build(vectors_, D, VectorConfig{}));
  EXPECT_GE(Recall(*index, VectorParams{}), 0.975);
}

TEST_F(VectorIndexTest, RecallOfManyLists) {
  const auto index = OpenIndex(Build(vectors_, D, WithLists(100)));
  VectorParams all, defaults, few;
  all.probe_share = 1;
  few.probe_share = 0.01;
  few.min_probes = 1;
  few.num_rerank = 10;
  EXPECT_GE(Recall(*index, defaults), 0.98);
  EXPECT_GE(Recall(*index, all), 0.98);
  EXPECT_LT(Recall(*index, few), 0.6);  // the parameters do something
}

TEST_F(VectorIndexTest, ScoresAreCosines) {
  const auto index = OpenIndex(Build(vectors_, D, WithLists(100)));
  const auto hits = index->Search(query(0), VectorParams{}, nullptr);
  ASSERT_EQ(hits.size(), 10u);
  std::vector<uint32_t> items;
  for (const VectorHit& hit : hits) {
    float exact = 0;
    for (size_t i = 0; i < D; ++i) {
      exact += query(0)[i] * vectors_[hit.item * D + i];
    }
    EXPECT_NEAR(hit.score, exact, 0.003);
    EXPECT_EQ(index->Score(query(0), hit.item), hit.score);
    items.push_back(hit.item);
  }
  EXPECT_TRUE(std::is_sorted(hits.begin(), hits.end(),
                             [](const VectorHit& a, const VectorHit& b) {
                               return a.score > b.score;
                             }));
  std::vector<float> scores(items.size());
  index->Score(query(0), items, scores);
  for (size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(scores[i], hits[i].score);
}

TEST_F(VectorIndexTest, LengthOfTheQueryDoesNotMatter) {
  const auto index = OpenIndex(Build(vectors_, D, VectorConfig{}));
  std::vector<float> longer(query(0).begin(), query(0).end());
  for (float& value : longer) value *= 8;
  const auto hits = index->Search(query(0), VectorParams{}, nullptr);
  const auto same = index->Search(longer, VectorParams{}, nullptr);
  ASSERT_EQ(hits.size(), same.size());
  for (size_t i = 0; i < hits.size(); ++i) {
    EXPECT_EQ(hits[i].item, same[i].item);
    EXPECT_NEAR(hits[i].score, same[i].score, 1e-5);
  }
}

TEST_F(VectorIndexTest, ReconstructsVectors) {
  const auto index = OpenIndex(Build(vectors_, D, WithLists(100)));
  std::vector<float> vector(D);
  for (const uint32_t item : {0u, 17u, 5999u}) {
    ASSERT_TRUE(index->Reconstruct(item, vector));
    for (size_t i = 0; i < D; ++i) {
      EXPECT_NEAR(vector[i], vectors_[item * D + i], 0.01);
    }
  }
  EXPECT_FALSE(index->Reconstruct(6000, vector));
}

// The exact best of the accepted items; few of them lie in near lists.
TEST_F(VectorIndexTest, SelectiveFiltersKeepRecall) {
  const auto index = OpenIndex(Build(vectors_, D, WithLists(100)));
  VectorParams params;
  params.probe_share = 0.1;
  for (const uint32_t modulus : {3u, 50u, 500u}) {
    double found = 0;
    for (size_t i = 0; i < Q; ++i) {
      std::vector<std::pair<float, uint32_t>> exact;
      for (uint32_t item = 0; item < N; item += modulus) {
        exact.push_back({-BestKernels().scan.dot_f32(query(i).data(),
                                                     &vectors_[item * D], D),
                         item});
      }
      std::sort(exact.begin(), exact.end());
      std::set<uint32_t> best;
      for (size_t k = 0; k < 10; ++k) best.insert(exact[k].second);
      std::map<uint32_t, int> calls;
      const auto hits = index->Search(query(i), params, [&](uint32_t item) {
        EXPECT_EQ(++calls[item], 1);
        return item % modulus == 0;
      });
      ASSERT_EQ(hits.size(), 10u);
      for (const VectorHit& hit : hits) {
        ASSERT_EQ(hit.item % modulus, 0u);
        found += best.count(hit.item);
      }
    }
    EXPECT_GE(found / (10 * Q), 0.98) << modulus;
  }
}

TEST_F(VectorIndexTest, FewerThanAskedForAreAllFound) {
  const auto index = OpenIndex(Build(vectors_, D, WithLists(100)));
  VectorParams params;
  params.probe_share = 0.01;
  const auto hits = index->Search(query(1), params, [](uint32_t item) {
    return item == 3 || item == 4567;
  });
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].item + hits[1].item, 4570u);
  params.num_results = 0;
  EXPECT_TRUE(index->Search(query(1), params, nullptr).empty());
}

TEST_F(VectorIndexTest, TheSameFileForAnyOrderAndThreads) {
  VectorConfig config = WithLists(100);
  config.num_threads = 1;
  const std::string first = Build(vectors_, D, config);
  config.num_threads = 3;
  EXPECT_EQ(Build(vectors_, D, config, /*backwards=*/true), first);
  config.seed = 2;
  EXPECT_NE(Build(vectors_, D, config), first);
}

TEST_F(VectorIndexTest, EveryTableFindsTheSame) {
  const std::string bytes = Build(vectors_, D, WithLists(100));
  const auto reference = OpenIndex(bytes, *AvailableKernels().front());
  for (const Kernels* kernels : AvailableKernels()) {
    const auto index = OpenIndex(bytes, *kernels);
    for (size_t i = 0; i < 20; ++i) {
      const auto expected =
          reference->Search(query(i), VectorParams{}, nullptr);
      const auto hits = index->Search(query(i), VectorParams{}, nullptr);
      ASSERT_EQ(hits.size(), expected.size());
      for (size_t k = 0; k < hits.size(); ++k) {
        // fp32 sums of centroids differ in order only.
        EXPECT_NEAR(hits[k].score, expected[k].score, 1e-6) << kernels->name;
      }
    }
  }
}

// Few vectors, odd dimensions: everything is found, best first.
TEST(VectorIndexSizesTest, SmallIndexesAreExact) {
  for (const size_t D : {1, 3, 8, 9, 65}) {
    for (const size_t N : {1, 2, 31, 32, 33, 65}) {
      const auto vectors = Clustered(N, D, N * 100 + D);
      for (const VectorConfig& config : {VectorConfig{}, WithLists(8)}) {
        const auto index = OpenIndex(Build(vectors, D, config));
        ASSERT_EQ(index->size(), N);
        ASSERT_EQ(index->dimension(), D);
        VectorParams params;
        params.num_results = N + 5;
        const auto hits =
            index->Search(std::span(vectors).first(D), params, nullptr);
        ASSERT_EQ(hits.size(), N);
        EXPECT_NEAR(hits[0].score, 1, 0.01);
      }
    }
  }
}

TEST(VectorIndexSizesTest, EmptyIndexFindsNothing) {
  const auto index = OpenIndex(Build({}, 8, VectorConfig{}));
  const std::vector<float> query(8, 1);
  EXPECT_EQ(index->size(), 0u);
  EXPECT_EQ(index->dimension(), 8u);
  EXPECT_TRUE(index->Search(query, VectorParams{}, nullptr).empty());
  EXPECT_EQ(index->Score(query, 0), 0);
}

TEST(VectorIndexSizesTest, EqualVectorsComeByItem) {
  const std::vector<float> vectors(100 * 4, 0.5f);
  const auto index = OpenIndex(Build(vectors, 4, WithLists(10)));
  VectorParams params;
  params.num_rerank = 100;
  params.probe_share = 1;
  const auto hits = index->Search(std::vector<float>(4, 1), params, nullptr);
  ASSERT_EQ(hits.size(), 10u);
  for (uint32_t i = 0; i < 10; ++i) EXPECT_EQ(hits[i].item, i);
}

TEST(VectorIndexSizesTest, SparseItems) {
  VectorIndexBuilder builder(2, VectorConfig{});
  ASSERT_TRUE(builder.Add(1000, std::vector<float>{1, 0}).ok());
  ASSERT_TRUE(builder.Add(7, std::vector<float>{0, 1}).ok());
  ArtifactWriter writer(kFormat, 1);
  ASSERT_TRUE(builder.Write(writer).ok());
  const auto index = OpenIndex(writer.Serialize());
  const std::vector<float> query = {0.1f, 1};
  const auto hits = index->Search(query, VectorParams{}, nullptr);
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].item, 7u);
  EXPECT_EQ(hits[1].item, 1000u);
  EXPECT_EQ(index->Score(query, 8), 0);
  EXPECT_EQ(index->Score(query, 5000), 0);
}

TEST(VectorIndexBadInputTest, QueriesWithoutDirectionFindNothing) {
  const auto index = OpenIndex(Build(Clustered(50, 4, 1), 4, VectorConfig{}));
  for (const float bad : {0.0f, NAN, INFINITY, 3e38f}) {
    const std::vector<float> query(4, bad);
    EXPECT_TRUE(index->Search(query, VectorParams{}, nullptr).empty());
    EXPECT_EQ(index->Score(query, 1), 0);
  }
}

TEST(VectorIndexBadInputTest, BuilderNamesTheItem) {
  VectorIndexBuilder builder(3, VectorConfig{});
  const auto message = [&](uint32_t item, std::vector<float> vector) {
    const absl::Status status = builder.Add(item, vector);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return Message(status);
  };
  EXPECT_THAT(message(41, {1, 2}), HasSubstr("item 41: a vector of 2"));
  EXPECT_THAT(message(42, {0, 0, 0}), HasSubstr("item 42"));
  EXPECT_THAT(message(43, {1, NAN, 0}), HasSubstr("item 43"));
  EXPECT_THAT(message(44, {1, INFINITY, 0}), HasSubstr("item 44"));
  EXPECT_THAT(message(kMaxVectorItem + 1, {1, 0, 0}), HasSubstr("268435456"));
  EXPECT_EQ(builder.size(), 0u);

  ASSERT_TRUE(builder.Add(5, std::vector<float>{1, 0, 0}).ok());
  ASSERT_TRUE(builder.Add(5, std::vector<float>{0, 1, 0}).ok());
  ArtifactWriter writer(kFormat, 1);
  const absl::Status status = builder.Write(writer);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(Message(status), HasSubstr("item 5"));
}

// Tensors are numbered by name.
TEST(VectorIndexDamageTest, EveryTensorIsChecked) {
  const std::vector<std::string> names = {
      "vector.centroids", "vector.codes",  "vector.factors",
      "vector.items",     "vector.rerank", "vector.scales",
      "vector.seed",      "vector.slots",  "vector.starts"};
  EXPECT_EQ(CheckEditedVectors(""), "");
  for (uint8_t tensor = 0; tensor < names.size(); ++tensor) {
    EXPECT_THAT(CheckEditedVectors(EditBytes(tensor, 4, 0, 0)),
                HasSubstr(names[tensor]));
    EXPECT_NE(CheckEditedVectors(EditBytes(tensor, 1, 0, 1)), "")
        << names[tensor];
    EXPECT_NE(CheckEditedVectors(EditBytes(tensor, 3, 0, 4000)), "")
        << names[tensor];
  }
}

TEST(VectorIndexDamageTest, NumbersOutOfRangeAreRefused) {
  constexpr uint32_t kNan = 0x7FC00000, kInfinity = 0x7F800000,
                     kHuge = 0x7F7FFFFF, kMinusOne = 0xBF800000;
  for (const uint32_t bad : {kNan, kInfinity, kHuge}) {
    for (const uint8_t tensor : {0, 2, 5}) {  // centroids, factors, scales
      EXPECT_THAT(CheckEditedVectors(EditBytes(tensor, 0, 3, bad)),
                  HasSubstr("beyond"));
    }
  }
  EXPECT_THAT(CheckEditedVectors(EditBytes(2, 0, 3, kMinusOne)),
              HasSubstr("vector.factors"));
  EXPECT_THAT(CheckEditedVectors(EditBytes(8, 0, 2, 0xFFFFFFF0)),
              HasSubstr("vector.starts"));
  EXPECT_THAT(CheckEditedVectors(EditBytes(8, 0, 7, 3)),
              HasSubstr("vector.starts"));
  EXPECT_THAT(CheckEditedVectors(EditBytes(3, 0, 4, 1000)),
              HasSubstr("vector.items"));
  EXPECT_THAT(CheckEditedVectors(EditBytes(3, 0, 4, 1)),
              HasSubstr("vector.items"));
  // Item 1 has no vector: a slot of its own makes one too many.
  EXPECT_THAT(CheckEditedVectors(EditBytes(7, 0, 1, 3)),
              HasSubstr("vector.slots"));
}

TEST(VectorIndexDamageTest, ReplaysTheCorpus) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           QUAVER_SOURCE_DIR "/tests/corpora/vector_index_fuzz")) {
    const auto edits = ReadFile(entry.path());
    ASSERT_TRUE(edits.ok());
    CheckEditedVectors(*edits);
    ++files;
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace quaver
