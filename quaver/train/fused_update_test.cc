// Tests of the weights' update and of bf16: AdamW, sums of squares, rounding.
#include <array>
#include <bit>

#include "quaver/train/internal/fused_checks.h"

namespace quaver::fused {
namespace {

constexpr int64_t kSize = 101;

// A model of kSize weights, and how the optimizer is set at step `step`.
struct Model {
  std::vector<float> weights = Normals<float>(kSize, 1);
  std::vector<float> gradient = std::vector<float>(kSize);
  std::vector<float> moment1 = std::vector<float>(kSize);
  std::vector<float> moment2 = std::vector<float>(kSize);
  std::vector<float> average = weights;
  std::vector<Bf16> shadow = std::vector<Bf16>(kSize);

  AdamW At(int step) {
    AdamW op;
    op.learning_rate = 0.01f;
    op.weight_decay = 0.1f;
    op.correction1 = 1 - std::pow(op.beta1, static_cast<float>(step));
    op.correction2 = 1 - std::pow(op.beta2, static_cast<float>(step));
    op.gradient_scale = 0.5f;
    op.average_decay = 0.75f;
    op.weights = weights.data(), op.gradient = gradient.data();
    op.moment1 = moment1.data(), op.moment2 = moment2.data();
    op.average = average.data(), op.shadow = shadow.data();
    return op;
  }
};

TEST(AdamWTest, FollowsThePaper) {
  Model model;
  Doubles weights = All(model.weights), average = weights, m(kSize), v(kSize);
  for (int step = 1; step <= 4; ++step) {
    model.gradient = Normals<float>(kSize, 10 + step);
    for (int64_t i = 0; i < kSize; ++i) {
      const double g = 0.5 * model.gradient[i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.98 * v[i] + 0.02 * g * g;
      const double m_hat = m[i] / (1 - std::pow(0.9, step));
      const double v_hat = v[i] / (1 - std::pow(0.98, step));
      weights[i] -=
          0.01 * (m_hat / (std::sqrt(v_hat) + 1e-8) + 0.1 * weights[i]);
      average[i] = 0.75 * average[i] + 0.25 * weights[i];
    }
    model.At(step).Run(0, kSize);
    EXPECT_EQ(model.gradient, std::vector<float>(kSize));
    ExpectNear(All(model.weights), weights, 1e-6);
    ExpectNear(All(model.moment1), m, 1e-6);
    ExpectNear(All(model.moment2), v, 1e-6);
    ExpectNear(All(model.average), average, 1e-6);
    std::vector<Bf16> shadow;
    Round(model.weights, &shadow);
    ExpectSame(model.shadow, shadow);
  }
}

TEST(AdamWTest, TwoRangesAreOneAndKeepToThemselves) {
  Model one, two;
  one.gradient = two.gradient = Normals<float>(kSize, 2);
  one.At(1).Run(0, kSize);
  two.At(1).Run(0, 33);
  EXPECT_EQ(two.weights[33], Model().weights[33]);
  EXPECT_NE(two.gradient[33], 0);
  two.At(1).Run(33, kSize);
  EXPECT_EQ(two.weights, one.weights);
  EXPECT_EQ(two.moment2, one.moment2);
  EXPECT_EQ(two.average, one.average);
  ExpectSame(two.shadow, one.shadow);
}

TEST(AdamWTest, NeedsNeitherAverageNorShadow) {
  Model one, two;
  one.gradient = two.gradient = Normals<float>(kSize, 2);
  one.At(1).Run(0, kSize);
  AdamW op = two.At(1);
  op.average = nullptr;
  op.shadow = nullptr;
  op.Run(0, kSize);
  EXPECT_EQ(two.weights, one.weights);
  EXPECT_EQ(two.average, Model().average);
}

TEST(MomentumTest, LooksAheadAndSumsSquares) {
  constexpr int kFirst = 3, kLast = 2'070;  // more than one block, and a rest
  const std::vector<float> gradient = Normals<float>(2'100, 1);
  const std::vector<float> before = Normals<float>(2'100, 2);
  std::vector<float> momentum = before;
  std::vector<Bf16> ahead(2'100, Bf16{7});
  const double squares = Momentum(gradient.data(), 0.5f, 0.9f, kFirst, kLast,
                                  momentum.data(), ahead.data());
  double want = 0;
  for (int i = 0; i < 2'100; ++i) {
    if (i < kFirst || i >= kLast) {
      EXPECT_EQ(momentum[i], before[i]);
      EXPECT_EQ(ahead[i].bits, 7);
      continue;
    }
    const double m = 0.9 * before[i] + 0.5 * gradient[i];
    const double next = 0.5 * gradient[i] + 0.9 * m;
    EXPECT_NEAR(momentum[i], m, 1e-6);
    EXPECT_NEAR(Value(ahead[i]), next, 0.004 * std::fabs(next) + 1e-6);
    want += next * next;
  }
  EXPECT_NEAR(squares, want, 1e-5 * want);
}

TEST(DirectedStepTest, IsAStepWithDecayAverageAndShadow) {
  Model model;
  model.gradient = Normals<float>(kSize, 2);
  std::vector<Bf16> direction;
  Round(Normals<float>(kSize, 3), &direction);
  const Model before = model;
  DirectedStep op;
  op.learning_rate = 0.1f;
  op.weight_decay = 0.5f;
  op.average_decay = 0.75f;
  op.direction = direction.data();
  op.weights = model.weights.data();
  op.gradient = model.gradient.data();
  op.average = model.average.data();
  op.shadow = model.shadow.data();
  op.Run(1, kSize);
  EXPECT_EQ(model.weights[0], before.weights[0]);
  EXPECT_EQ(model.gradient[0], before.gradient[0]);
  for (size_t i = 1; i < model.weights.size(); ++i) {
    const double want =
        0.95 * before.weights[i] - 0.1 * double{Value(direction[i])};
    EXPECT_NEAR(model.weights[i], want, 1e-6) << i;
    EXPECT_EQ(model.gradient[i], 0) << i;
    EXPECT_NEAR(model.average[i], 0.75 * before.average[i] + 0.25 * want, 1e-6);
    EXPECT_NEAR(Value(model.shadow[i]), want, 0.004 * std::fabs(want) + 1e-6);
  }
  op.average = nullptr;
  op.shadow = nullptr;
  const std::vector<float> average = model.average;
  op.Run(0, kSize);
  EXPECT_EQ(model.average, average);
}

TEST(SquareSumTest, IsOfItsRange) {
  std::vector<float> x = Normals<float>(1'000, 1);
  x[0] = x[900] = 1e30f;  // its square is no float
  double want = 0;
  for (int i = 1; i < 900; ++i) want += double{x[i]} * x[i];
  EXPECT_NEAR(SquareSum(x.data(), 1, 900), want, 1e-9 * want);
  EXPECT_NEAR(SquareSum(x.data(), 0, 1'000), 2e60, 1e54);
  EXPECT_EQ(SquareSum(x.data(), 5, 5), 0);
}

// Bits of floats and of what they are rounded to.
constexpr std::array<std::pair<uint32_t, uint16_t>, 14> kRounded = {{
    {0x3F800000, 0x3F80},  // 1
    {0x3F808000, 0x3F80},  // halfway: down to the even one
    {0x3F818000, 0x3F82},  // halfway: up to the even one
    {0x3F808001, 0x3F81},
    {0x3F807FFF, 0x3F80},
    {0xBF808001, 0xBF81},
    {0x3FFFFFFF, 0x4000},  // into the next exponent
    {0x00000000, 0x0000},
    {0x80000000, 0x8000},
    {0x00000001, 0x0000},  // subnormal
    {0x00018000, 0x0002},
    {0x7F7FFFFF, 0x7F80},  // beyond the greatest: infinity
    {0x7F800000, 0x7F80},
    {0xFF800000, 0xFF80},
}};

TEST(ToBf16Test, RoundsToNearestTiesToEven) {
  std::vector<float> x;
  for (int i = 0; i < 70; ++i) {
    x.push_back(std::bit_cast<float>(kRounded[i % kRounded.size()].first));
  }
  std::vector<Bf16> out;
  Round(x, &out);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(out[i].bits, kRounded[i % kRounded.size()].second) << i;
  }
}

TEST(ToBf16Test, ANanStaysOne) {
  // Their upper halves are infinity, all ones, and a quiet NaN.
  const uint32_t nans[] = {0x7F800001, 0xFF80FFFF, 0xFFFFFFFF, 0x7FC00000};
  std::vector<float> x;
  for (int i = 0; i < 70; ++i) x.push_back(std::bit_cast<float>(nans[i % 4]));
  std::vector<Bf16> out;
  Round(x, &out);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_TRUE(std::isnan(Value(out[i]))) << i;
    EXPECT_EQ(out[i].bits >> 15, nans[i % 4] >> 31) << i;  // and its sign
  }
}

TEST(ToBf16Test, WritesItsRangeOnly) {
  const std::vector<float> x(70, 1);
  std::vector<Bf16> out(70, Bf16{7});
  ToBf16(x.data(), 3, 66, out.data());
  for (int i = 0; i < 70; ++i) {
    EXPECT_EQ(out[i].bits, i >= 3 && i < 66 ? 0x3F80 : 7) << i;
  }
}

}  // namespace
}  // namespace quaver::fused
