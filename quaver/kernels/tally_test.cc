// The tally kernels of every instruction set against their definition.
#include <vector>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/kernels/kernels.h"

namespace quaver {
namespace {

class TallyTest : public testing::TestWithParam<const Kernels*> {
 protected:
  const TallyKernels& tally() const { return GetParam()->tally; }
};

constexpr size_t kSizes[] = {32, 64, 96, 480, 1024};

std::vector<uint16_t> RandomValues(Random& random, size_t count) {
  std::vector<uint16_t> values(count);
  for (uint16_t& value : values) value = static_cast<uint16_t>(random.Next());
  return values;
}

TEST_P(TallyTest, AddsTheWeightsOfSetBits) {
  Random random(1);
  for (const size_t N : kSizes) {
    for (const size_t J : {0, 1, 2, 13}) {
      std::vector<std::vector<uint32_t>> words(J);
      std::vector<const uint32_t*> bitmaps;
      for (auto& bitmap : words) {
        bitmap.resize(N / kTallyBlock);
        for (uint32_t& word : bitmap) {
          word = static_cast<uint32_t>(random.Next());
        }
        bitmaps.push_back(bitmap.data());
      }
      const auto weights = RandomValues(random, J);
      auto scores = RandomValues(random, N);
      auto expected = scores;
      for (size_t i = 0; i < N; ++i) {
        for (size_t j = 0; j < J; ++j) {
          if ((words[j][i / 32] >> (i % 32)) & 1) {
            expected[i] = static_cast<uint16_t>(expected[i] + weights[j]);
          }
        }
      }
      tally().add_weights(bitmaps.data(), weights.data(), J, N, scores.data());
      EXPECT_EQ(scores, expected) << N << " items, " << J << " bitmaps";
    }
  }
}

TEST_P(TallyTest, ScalesAndFindsTheGreatest) {
  Random random(2);
  for (const size_t N : kSizes) {
    const auto scores = RandomValues(random, N);
    const auto scales = RandomValues(random, N);
    std::vector<uint16_t> values(N), expected(N);
    uint16_t greatest = 0;
    for (size_t i = 0; i < N; ++i) {
      expected[i] =
          static_cast<uint16_t>(uint32_t{scores[i]} * scales[i] / 65536);
      greatest = std::max(greatest, expected[i]);
    }
    EXPECT_EQ(tally().scale(scores.data(), scales.data(), N, values.data()),
              greatest);
    EXPECT_EQ(values, expected);
  }
}

TEST_P(TallyTest, SelectsInOrder) {
  Random random(3);
  for (const size_t N : kSizes) {
    auto values = RandomValues(random, N);
    values[N - 1] = 0xFFFF;
    for (const int least : {1, 100, 0x7FFF, 0x8000, 0xFFFF}) {
      std::vector<uint32_t> expected;
      for (uint32_t i = 0; i < N; ++i) {
        if (values[i] >= least) expected.push_back(i);
      }
      std::vector<uint32_t> items(N);
      items.resize(tally().select(values.data(), N,
                                  static_cast<uint16_t>(least), items.data()));
      EXPECT_EQ(items, expected) << N << " values from " << least;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllTables, TallyTest,
                         testing::ValuesIn(AvailableKernels().begin(),
                                           AvailableKernels().end()),
                         [](const auto& info) {
                           return std::string(info.param->name);
                         });

}  // namespace
}  // namespace quaver
