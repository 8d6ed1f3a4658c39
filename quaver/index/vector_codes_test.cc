// Rotation, codes, tables and k-means: the parts of the vector index.
#include "quaver/index/vector_codes.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/index/vector_lists.h"
#include "quaver/index/vector_rotation.h"
#include "quaver/kernels/scan.h"

namespace quaver {
namespace {

std::vector<float> RandomVector(Random& random, size_t D) {
  std::vector<float> vector(D);
  for (float& value : vector) value = static_cast<float>(random.Normal());
  return vector;
}

double Dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

TEST(RotationTest, KeepsProductsAndInverts) {
  Random random(1);
  for (const size_t D : {1, 2, 3, 7, 8, 33, 100, 384, 2048}) {
    const Rotation rotation(D, 5);
    const auto a = RandomVector(random, D), b = RandomVector(random, D);
    auto rotated_a = a, rotated_b = b;
    rotation.Apply(rotated_a);
    rotation.Apply(rotated_b);
    const double lengths = std::sqrt(Dot(a, a) * Dot(b, b));
    EXPECT_NEAR(Dot(rotated_a, rotated_b), Dot(a, b), 1e-5 * lengths) << D;
    rotation.Invert(rotated_a);
    for (size_t i = 0; i < D; ++i) EXPECT_NEAR(rotated_a[i], a[i], 1e-5) << D;
  }
}

// One coordinate's length must reach all others: of a Gaussian's D numbers the
// largest is about sqrt(2 ln D) = 3.4 times the mean; 6 is never seen.
TEST(RotationTest, SpreadsEveryUnitVector) {
  const size_t D = 384;
  const Rotation rotation(D, 9);
  for (size_t axis = 0; axis < D; ++axis) {
    std::vector<float> vector(D);
    vector[axis] = 1;
    rotation.Apply(vector);
    for (const float value : vector) {
      EXPECT_LT(std::fabs(value), 6 / std::sqrt(static_cast<float>(D)));
    }
  }
}

TEST(RotationTest, SeedsDiffer) {
  std::vector<float> first(16, 1), second(16, 1);
  Rotation(16, 1).Apply(first);
  Rotation(16, 2).Apply(second);
  EXPECT_NE(first, second);
}

// <q, s> by the tables and by the definition. An entry errs by half a step.
TEST(CodesTest, TablesGiveTheProductWithSigns) {
  Random random(2);
  for (const size_t D : {1, 3, 4, 7, 8, 9, 65, 384}) {
    const auto query = RandomVector(random, D);
    const auto residual = RandomVector(random, D);
    std::vector<uint8_t> code(CodeBytes(D), 0xFF);
    EncodeSigns(residual, code.data());
    const QueryTables tables = BuildTables(query);
    int sum = 0;
    for (size_t b = 0; b < code.size(); ++b) {
      sum += tables.entries[b * 32 + (code[b] & 15)];
      sum += tables.entries[b * 32 + 16 + (code[b] >> 4)];
    }
    double expected = 0;
    for (size_t i = 0; i < D; ++i) {
      expected += residual[i] >= 0 ? query[i] : -query[i];
    }
    const double bound =
        tables.step * (0.51 * 2 * static_cast<double>(code.size()));
    EXPECT_NEAR(tables.step * static_cast<float>(sum) + tables.offset, expected,
                bound)
        << D;
    EXPECT_LE(*std::max_element(tables.entries.begin(), tables.entries.end()),
              kMaxTableEntry);
  }
}

// Over 2,000 rotations: the mean error is 0 within four standard errors, and
// the spread is what the paper says.
TEST(CodesTest, EstimateIsUnbiased) {
  const size_t D = 128;
  Random random(3);
  const auto query = RandomVector(random, D),
             residual = RandomVector(random, D);
  const double lengths = std::sqrt(Dot(query, query) * Dot(residual, residual));
  double sum = 0, squares = 0;
  const int kRotations = 2000;
  for (int seed = 0; seed < kRotations; ++seed) {
    const Rotation rotation(D, static_cast<uint64_t>(seed));
    auto q = query, r = residual;
    rotation.Apply(q);
    rotation.Apply(r);
    std::vector<uint8_t> code(CodeBytes(D));
    const float factor = EncodeSigns(r, code.data());
    double signs = 0;
    for (size_t i = 0; i < D; ++i) {
      signs += (code[i / 8] >> (i % 8) & 1) != 0 ? q[i] : -q[i];
    }
    const double error = (factor * signs - Dot(query, residual)) / lengths;
    sum += error;
    squares += error * error;
  }
  const double spread = std::sqrt(squares / kRotations);
  EXPECT_NEAR(sum / kRotations, 0, 4 * spread / std::sqrt(kRotations));
  EXPECT_NEAR(spread, 0.75 / std::sqrt(static_cast<double>(D)), 0.01);
}

TEST(CodesTest, ZeroResidualIsHarmless) {
  const std::vector<float> zero(9);
  std::vector<uint8_t> code(CodeBytes(9));
  EXPECT_EQ(EncodeSigns(zero, code.data()), 0);
  std::vector<int8_t> values(9, 1);
  EXPECT_EQ(QuantizeI8(zero, values.data()), 0);
  EXPECT_EQ(values, std::vector<int8_t>(9, 0));
}

TEST(CodesTest, QuantisingErrsByHalfAStep) {
  Random random(4);
  const auto vector = RandomVector(random, 100);
  std::vector<int8_t> bytes(100);
  std::vector<int16_t> words(100);
  const float coarse = QuantizeI8(vector, bytes.data());
  const float fine = QuantizeI16(vector, words.data());
  for (size_t i = 0; i < vector.size(); ++i) {
    EXPECT_NEAR(coarse * bytes[i], vector[i], 0.501 * coarse);
    EXPECT_NEAR(fine * words[i], vector[i], 0.501 * fine);
    EXPECT_LE(std::abs(words[i]), 2047);
    EXPECT_GE(bytes[i], -127);
  }
}

TEST(CodesTest, LengthsOutOfRangeAreRefused) {
  EXPECT_FLOAT_EQ(InverseLength(std::vector<float>{3, 4}), 0.2f);
  for (const float bad : {0.0f, NAN, INFINITY, 1e-30f, 1e30f}) {
    EXPECT_EQ(InverseLength(std::vector<float>{bad, 0}), 0) << bad;
  }
}

// Four far clusters are found, whatever the threads.
TEST(ListsTest, FindsClusters) {
  const size_t D = 8, per_cluster = 50;
  Random random(5);
  std::vector<float> vectors;
  for (size_t i = 0; i < 4 * per_cluster; ++i) {
    auto vector = RandomVector(random, D);
    for (float& value : vector) value *= 0.01f;
    vector[i % 4] += 1;
    vectors.insert(vectors.end(), vector.begin(), vector.end());
  }
  ListsConfig config;
  config.num_lists = 8;  // more than clusters: no list may mix two
  const Lists lists = TrainLists(vectors, D, config, BestKernels());
  for (size_t i = 0; i < 4 * per_cluster; ++i) {
    const float* centroid = &lists.centroids[lists.list_of[i] * D];
    EXPECT_NEAR(centroid[i % 4], 1, 0.05);
  }
  config.num_threads = 3;
  const Lists again = TrainLists(vectors, D, config, BestKernels());
  EXPECT_EQ(again.list_of, lists.list_of);
  EXPECT_EQ(again.centroids, lists.centroids);
}

TEST(ListsTest, OneListHasTheMean) {
  const std::vector<float> vectors = {1, 2, 3, 4, 5, 9};
  const Lists lists = TrainLists(vectors, 2, ListsConfig{}, BestKernels());
  EXPECT_EQ(lists.centroids, (std::vector<float>{3, 5}));
  EXPECT_EQ(lists.list_of, (std::vector<uint32_t>{0, 0, 0}));
}

TEST(ListsTest, EqualVectorsLeaveListsEmpty) {
  const std::vector<float> vectors(20, 0.5f);  // ten times the same
  ListsConfig config;
  config.num_lists = 10;
  const Lists lists = TrainLists(vectors, 2, config, BestKernels());
  for (const uint32_t list : lists.list_of) EXPECT_EQ(list, lists.list_of[0]);
  for (const float value : lists.centroids) EXPECT_EQ(value, 0.5f);
}

}  // namespace
}  // namespace quaver
