// Tests of the fused training loops against plain code in double precision,
// and of their gradients against its slopes.
#include "quaver/train/fused.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "quaver/train/internal/fused_checks.h"

namespace quaver::fused {
namespace {

using ::testing::ElementsAre;

template <typename T>
class FusedTest : public testing::Test {};
using Types = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(FusedTest, Types);

struct NormIn {
  int64_t width;
  Doubles y, bias, residual, gamma, beta, keep;
};

Doubles NormOut(const NormIn& in) {
  Doubles out(in.y.size());
  const auto width = static_cast<double>(in.width);
  for (size_t row = 0; row < out.size(); row += in.width) {
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < in.width; ++c) {
      const size_t i = row + c;
      out[i] = in.residual[i] + in.keep[i] * (in.y[i] + in.bias[c]);
      mean += out[i] / width;
    }
    for (int64_t c = 0; c < in.width; ++c) {
      variance += std::pow(out[row + c] - mean, 2) / width;
    }
    for (int64_t c = 0; c < in.width; ++c) {
      out[row + c] =
          (out[row + c] - mean) / std::sqrt(variance + 1e-5) * in.gamma[c] +
          in.beta[c];
    }
  }
  return out;
}

// Inputs and outputs of AddNorm, run over rows between cuts.
template <typename T>
struct NormRun {
  static constexpr int64_t kRows = 5;

  NormRun(int64_t width, const DropoutMask& mask, bool has_bias) {
    const int64_t size = kRows * width;
    y = Normals<T>(size, 1), bias = Normals<T>(width, 2);
    residual = Normals<T>(size, 3), dout = Normals<T>(size, 4);
    gamma = Normals<float>(width, 5), beta = Normals<float>(width, 6);
    sum.resize(size), out.resize(size), dresidual.resize(size);
    dy.resize(size), mean.resize(kRows), rstd.resize(kRows);
    // Shares are added to what is there.
    dgamma.assign(width, 1), dbeta.assign(width, 2);
    op.width = width, op.mask = mask;
    op.y = y.data(), op.bias = has_bias ? bias.data() : nullptr;
    op.residual = residual.data(), op.gamma = gamma.data();
    op.beta = beta.data(), op.sum = sum.data(), op.mean = mean.data();
    op.rstd = rstd.data(), op.out = out.data();
  }

  void Run(const std::vector<int64_t>& cuts) {
    // The same array where nothing is dropped, as the header allows.
    T* to_y = op.mask.threshold > 0 ? dy.data() : dresidual.data();
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      op.Forward(cuts[i], cuts[i + 1]);
      op.Backward(cuts[i], cuts[i + 1], dout.data(), dresidual.data(), to_y,
                  dgamma.data(), dbeta.data());
    }
    if (op.mask.threshold == 0) dy = dresidual;
  }

  NormIn In() const {
    std::vector<float> keep(y.size(), 1);
    ApplyDropout(op.mask, 0, static_cast<int64_t>(keep.size()), keep.data());
    return {op.width,
            All(y),
            op.bias != nullptr ? All(bias) : Doubles(op.width),
            All(residual),
            All(gamma),
            All(beta),
            All(keep)};
  }

  AddNorm<T> op;
  std::vector<T> y, bias, residual, dout, sum, out, dresidual, dy;
  std::vector<float> gamma, beta, mean, rstd, dgamma, dbeta;
};

TYPED_TEST(FusedTest, AddNormAndItsGradientsAreRight) {
  constexpr double kNear = kTolerance<TypeParam>;
  for (const int64_t width : {7, 16, 35}) {
    for (const DropoutMask mask : {DropoutMask(), MakeDropoutMask(0.4, 7)}) {
      NormRun<TypeParam> run(width, mask, width != 16);
      run.Run({0, run.kRows});
      const NormIn in = run.In();
      ExpectNear(All(run.out), NormOut(in), kNear);
      const Doubles dout = All(run.dout);
      const auto loss = [&](const NormIn& x) { return Dot(NormOut(x), dout); };
      const auto slope = [&](Doubles NormIn::* field, double before) {
        Doubles values = Slope(in, field, loss);
        for (double& value : values) value += before;
        return values;
      };
      ExpectNear(All(run.dy), slope(&NormIn::y, 0), kNear);
      ExpectNear(All(run.dresidual), slope(&NormIn::residual, 0), kNear);
      ExpectNear(All(run.dgamma), slope(&NormIn::gamma, 1), kNear);
      ExpectNear(All(run.dbeta), slope(&NormIn::beta, 2), kNear);
    }
  }
}

TYPED_TEST(FusedTest, AddNormOfTwoRangesIsThatOfOne) {
  const DropoutMask mask = MakeDropoutMask(0.4, 7);
  NormRun<TypeParam> one(35, mask, true), two(35, mask, true);
  one.Run({0, one.kRows});
  two.Run({0, 2, two.kRows});
  ExpectSame(two.out, one.out);
  ExpectSame(two.dy, one.dy);
  ExpectSame(two.dresidual, one.dresidual);
  ExpectSame(two.dgamma, one.dgamma);
  ExpectSame(two.dbeta, one.dbeta);
}

struct GeluIn {
  Doubles x;
};

TYPED_TEST(FusedTest, BiasGeluIsExactAndSplits) {
  constexpr int64_t kRows = 3, kWidth = 37;
  auto x = Normals<TypeParam>(kRows * kWidth, 1);
  // Where the normal distribution has nothing left.
  std::vector<TypeParam> far;
  Round({-1e4f, 1e4f, -40, 40, -13, 13, 0}, &far);
  std::copy(far.begin(), far.end(), x.begin() + 2 * kWidth);
  const auto bias = Normals<TypeParam>(kWidth, 2);
  const auto dout = Normals<TypeParam>(kRows * kWidth, 3);
  const BiasGelu<TypeParam> op = {kWidth, bias.data()};
  std::vector<TypeParam> slope = x, out(x.size()), dx = dout;
  op.Forward(0, kRows, slope.data(), out.data());
  op.Backward(0, kRows, slope.data(), dx.data());
  const auto gelu = [&](const GeluIn& in) {
    Doubles want(in.x);
    for (size_t i = 0; i < want.size(); ++i) {
      want[i] += Value(bias[i % kWidth]);
      want[i] *= 0.5 * std::erfc(-want[i] / std::sqrt(2.0));
    }
    return want;
  };
  const GeluIn in = {All(x)};
  const auto loss = [&](const GeluIn& at) { return Dot(gelu(at), All(dout)); };
  ExpectNear(All(out), gelu(in), kTolerance<TypeParam>);
  ExpectNear(All(dx), Slope(in, &GeluIn::x, loss), kTolerance<TypeParam>);
  std::vector<TypeParam> slope2 = x, out2(x.size()), dx2 = dout;
  for (const auto& [begin, end] : {std::pair(0, 1), std::pair(1, 3)}) {
    op.Forward(begin, end, slope2.data(), out2.data());
    op.Backward(begin, end, slope2.data(), dx2.data());
  }
  ExpectSame(out2, out);
  ExpectSame(dx2, dx);
}

struct EntropyIn {
  int64_t width;
  double smoothing;
  std::vector<int32_t> labels;
  Doubles logits;
};

// Of each row.
Doubles Entropy(const EntropyIn& in) {
  Doubles losses(in.labels.size());
  for (size_t row = 0; row < losses.size(); ++row) {
    if (in.labels[row] == kNoLabel) continue;
    const double* x = in.logits.data() + row * in.width;
    double sum = 0, total = 0;
    for (int64_t c = 0; c < in.width; ++c) sum += std::exp(x[c]), total += x[c];
    losses[row] = std::log(sum) - (1 - in.smoothing) * x[in.labels[row]] -
                  in.smoothing / static_cast<double>(in.width) * total;
  }
  return losses;
}

TYPED_TEST(FusedTest, CrossEntropyAndItsGradientAreRight) {
  constexpr int64_t kRows = 4, kWidth = 41;
  for (const float smoothing : {0.0f, 0.1f}) {
    const EntropyIn in = {kWidth,
                          smoothing,
                          {40, 0, kNoLabel, 17},
                          All(Normals<TypeParam>(kRows * kWidth, 1))};
    const CrossEntropy<TypeParam> op = {kWidth, smoothing, 0.25f,
                                        in.labels.data()};
    auto one = Normals<TypeParam>(kRows * kWidth, 1), two = one;
    std::vector<float> loss(kRows, -1), loss2(kRows, -1);
    std::vector<uint8_t> right(kRows, 9), right2(kRows, 9);
    op.Run(0, kRows, one.data(), loss.data(), right.data());
    ExpectNear(All(loss), Entropy(in), 1e-5);
    const auto scaled = [](const EntropyIn& at) {
      const Doubles losses = Entropy(at);
      return 0.25 * std::accumulate(losses.begin(), losses.end(), 0.0);
    };
    ExpectNear(All(one), Slope(in, &EntropyIn::logits, scaled),
               kTolerance<TypeParam> / 10);
    for (int64_t row = 0; row < kRows; ++row) {
      const auto* x = in.logits.data() + row * kWidth;
      const auto best = std::max_element(x, x + kWidth) - x;
      EXPECT_EQ(right[row], best == in.labels[row] ? 1 : 0) << row;
    }
    op.Run(0, 3, two.data(), loss2.data(), right2.data());
    op.Run(3, kRows, two.data(), loss2.data(), right2.data());
    ExpectSame(two, one);
    ExpectSame(loss2, loss);
    ExpectSame(right2, right);
  }
}

TYPED_TEST(FusedTest, OfEqualLogitsTheFirstIsTheAnswer) {
  std::vector<TypeParam> logits;
  Round({1, 3, 3, 1, 3, 3, 1, 3, 3, 1000, -1000, 0}, &logits);
  const std::vector<int32_t> labels = {1, 2, 0, 1};
  std::vector<float> loss(4);
  std::vector<uint8_t> right(4);
  const CrossEntropy<TypeParam> op = {3, 0, 1, labels.data()};
  op.Run(0, 4, logits.data(), loss.data(), right.data());
  EXPECT_THAT(right, ElementsAre(1, 0, 0, 0));
  EXPECT_FLOAT_EQ(loss[3], 2000);  // far from what e^x can hold
  ExpectNear({Value(logits[9]), Value(logits[10]), Value(logits[11])},
             {1, -1, 0}, 1e-6);
}

TYPED_TEST(FusedTest, SumsAreAddedToWhatIsThere) {
  constexpr int64_t kRows = 6, kWidth = 37;
  const auto x = Normals<TypeParam>(kRows * kWidth, 1);
  std::vector<float> sums(kWidth, 1), total(x.size(), 2);
  AddColumnSums(x.data(), kRows, kWidth, 0, 5, sums.data());
  EXPECT_EQ(sums[5], 1);  // another range's
  AddColumnSums(x.data(), kRows, kWidth, 5, kWidth, sums.data());
  AddTo(x.data(), 0, 100, total.data());
  EXPECT_EQ(total[100], 2);
  AddTo(x.data(), 100, kRows * kWidth, total.data());
  Doubles want(kWidth, 1), want_total(x.size(), 2);
  for (size_t i = 0; i < x.size(); ++i) {
    want[i % kWidth] += Value(x[i]);
    want_total[i] += Value(x[i]);
  }
  ExpectNear(All(sums), want, 1e-6);
  ExpectNear(All(total), want_total, 1e-6);
}

TYPED_TEST(FusedTest, DropoutDropsItsShareByElementNumber) {
  constexpr int64_t kSize = 20'000;
  std::vector<TypeParam> whole;
  Round(std::vector<float>(kSize, 3), &whole);
  auto split = whole, other = whole, all = whole;
  const DropoutMask mask = MakeDropoutMask(0.25, 1);
  ApplyDropout(mask, 0, kSize, whole.data());
  ApplyDropout(mask, 777, kSize, split.data());
  ApplyDropout(mask, 0, 777, split.data());
  ExpectSame(split, whole);
  const Doubles values = All(whole);
  const auto dropped = std::count(values.begin(), values.end(), 0.0);
  EXPECT_NEAR(dropped, kSize / 4, 300);  // 5 deviations of a fair draw
  EXPECT_EQ(std::count(values.begin(), values.end(), 4.0), kSize - dropped);
  ApplyDropout(MakeDropoutMask(0.25, 2), 0, kSize, other.data());
  EXPECT_NE(All(other), values);
  ApplyDropout(MakeDropoutMask(0, 1), 0, kSize, all.data());
  EXPECT_EQ(All(all), Doubles(kSize, 3));
}

}  // namespace
}  // namespace quaver::fused
