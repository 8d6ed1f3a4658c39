// Tests of Muon's update: singular values, directions, momentum, its size.
#include "quaver/train/torch/muon.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"

namespace quaver {
namespace {

using Shape = std::pair<int64_t, int64_t>;

at::Tensor RandomMatrix(Shape shape, uint64_t seed) {
  at::Tensor matrix = at::empty({shape.first, shape.second}, at::kFloat);
  Random random(seed);
  for (int64_t i = 0; i < matrix.numel(); ++i) {
    matrix.data_ptr<float>()[i] = static_cast<float>(random.Normal());
  }
  return matrix;
}

struct Svd {
  at::Tensor u, values, v;  // matrix = u diag(values) v^T
};

Svd SvdOf(const at::Tensor& matrix) {
  auto [u, values, v] = at::svd(matrix.to(at::kDouble));
  return {u, values, v};
}

std::pair<double, double> Extremes(const at::Tensor& values) {
  return {values.min().item<double>(), values.max().item<double>()};
}

// With singular values from 0.05 to 1: a random square one is near singular.
at::Tensor FullRankSquare(int64_t size, uint64_t seed) {
  const Svd svd = SvdOf(RandomMatrix({size, size}, seed));
  const at::Tensor values = at::linspace(1, 0.05, size, at::kDouble);
  return at::mm(svd.u * values, svd.v.t()).to(at::kFloat);
}

// What becomes of one singular value, a share of the Frobenius norm.
double Iterated(double value) {
  for (int i = 0; i < 5; ++i) {
    value = 3.4445 * value - 4.7750 * std::pow(value, 3) +
            2.0315 * std::pow(value, 5);
  }
  return value;
}

double Difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).to(at::kDouble).norm() / b.to(at::kDouble).norm())
      .item<double>();
}

double RootMeanSquare(const at::Tensor& matrix) {
  return std::sqrt(matrix.to(at::kDouble).square().mean().item<double>());
}

TEST(OrthogonalisedTest, BringsSingularValuesNearOne) {
  std::vector<at::Tensor> matrices = {FullRankSquare(40, 1),
                                      FullRankSquare(64, 2)};
  for (const Shape& shape :
       {Shape(32, 48), Shape(48, 32), Shape(16, 200), Shape(200, 16),
        Shape(1, 7), Shape(7, 1), Shape(1, 1)}) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      matrices.push_back(RandomMatrix(shape, seed));
    }
  }
  for (const at::Tensor& matrix : matrices) {
    const at::Tensor exact = Orthogonalised(matrix);
    EXPECT_EQ(exact.sizes(), matrix.sizes());
    EXPECT_EQ(exact.scalar_type(), at::kFloat);
    auto [least, most] = Extremes(SvdOf(exact).values);
    EXPECT_GT(least, 0.65) << matrix.sizes();
    EXPECT_LT(most, 1.25) << matrix.sizes();
    const at::Tensor rounded = Orthogonalised(matrix.to(at::kBFloat16));
    EXPECT_EQ(rounded.scalar_type(), at::kBFloat16);
    std::tie(least, most) = Extremes(SvdOf(rounded).values);
    EXPECT_GT(least, 0.6) << matrix.sizes();
    EXPECT_LT(most, 1.3) << matrix.sizes();
    EXPECT_LT(Difference(rounded, exact), 0.15) << matrix.sizes();
  }
}

// Each direction keeps its place and sign: u^T X v is diagonal, and the
// iteration was that of numbers. Square ones have very small values too.
TEST(OrthogonalisedTest, ChangesOnlyTheSingularValues) {
  for (const Shape& shape : {Shape(24, 40), Shape(40, 24), Shape(64, 64)}) {
    const at::Tensor matrix = RandomMatrix(shape, 5);
    const Svd svd = SvdOf(matrix);
    const at::Tensor got = at::mm(
        at::mm(svd.u.t(), Orthogonalised(matrix).to(at::kDouble)), svd.v);
    at::Tensor want = svd.values / svd.values.norm();
    for (int64_t i = 0; i < want.numel(); ++i) {
      double& value = want.data_ptr<double>()[i];
      const double share = value;
      value = Iterated(share);
      EXPECT_GT(value, share);
      EXPECT_LE(value, 485 * share);  // 3.4445^5
      if (share > 0.0015) {
        EXPECT_GT(value, 0.67);
        EXPECT_LT(value, 1.21);
      }
    }
    EXPECT_LT((got - at::diag(want)).abs().max().item<double>(), 1e-3);
    // With u v^T, the nearest orthogonal matrix.
    EXPECT_GT(got.trace().item<double>(),
              0.65 * static_cast<double>(want.numel()));
  }
}

TEST(OrthogonalisedTest, TheSignIsKeptAndTheScaleDoesNotMatter) {
  for (const Shape& shape : {Shape(24, 40), Shape(40, 24)}) {
    const at::Tensor matrix = RandomMatrix(shape, 6);
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      const at::Tensor one = Orthogonalised(matrix.to(type));
      EXPECT_TRUE(at::equal(Orthogonalised(-matrix.to(type)), -one));
      const double bound = type == at::kFloat ? 1e-4 : 0.05;
      for (const double scale : {1e-5, 1e-2, 1e2, 1e5}) {
        EXPECT_LT(Difference(Orthogonalised((scale * matrix).to(type)), one),
                  scale < 1e-4 ? 0.05 : bound)  // 1e-7 was added to the norm
            << scale;
      }
    }
  }
}

TEST(OrthogonalisedTest, ZeroStaysZero) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const Shape& shape : {Shape(3, 5), Shape(5, 3), Shape(4, 4)}) {
      const at::Tensor zero = at::zeros({shape.first, shape.second}, type);
      EXPECT_TRUE(at::equal(Orthogonalised(zero), zero));
    }
  }
}

// A tall view of a wide matrix is read where it lies.
TEST(OrthogonalisedTest, LeavesWhatItIsGiven) {
  for (const Shape& shape : {Shape(3, 5), Shape(5, 3), Shape(7, 1)}) {
    const at::Tensor matrix = RandomMatrix(shape, 7);
    const at::Tensor kept = matrix.clone();
    const at::Tensor one = Orthogonalised(matrix);
    EXPECT_TRUE(at::equal(matrix, kept));
    const at::Tensor turned = Orthogonalised(matrix.t());
    EXPECT_TRUE(at::equal(matrix, kept));
    EXPECT_LT(Difference(turned.t(), one), 1e-5);
  }
}

// Momentum is kept in float, whatever the update is computed in.
TEST(MuonUpdateTest, LooksAheadOfItsMomentum) {
  constexpr double kDecay = 0.9;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const Shape& shape : {Shape(7, 11), Shape(11, 7), Shape(1, 35)}) {
      at::Tensor momentum = at::zeros({shape.first, shape.second}, at::kFloat);
      at::Tensor want = momentum.to(at::kDouble);
      for (uint64_t step = 1; step <= 5; ++step) {
        const at::Tensor gradient = RandomMatrix(shape, 20 + step);
        const at::Tensor kept = gradient.clone();
        const at::Tensor update =
            MuonUpdate(0.5 * gradient, 2, kDecay, type, momentum);
        EXPECT_EQ(update.sizes(), gradient.sizes());
        EXPECT_EQ(update.scalar_type(), type);
        EXPECT_TRUE(at::equal(gradient, kept));
        want = kDecay * want + gradient.to(at::kDouble);
        EXPECT_EQ(momentum.scalar_type(), at::kFloat);
        EXPECT_LT(Difference(momentum, want), 1e-6);
        const at::Tensor ahead = gradient.to(at::kDouble) + kDecay * want;
        const at::Tensor near_one = Orthogonalised(ahead.to(type));
        const double longest =
            static_cast<double>(std::max(shape.first, shape.second));
        EXPECT_LT(Difference(update, 0.2 * std::sqrt(longest) *
                                         near_one.to(at::kFloat)),
                  type == at::kFloat ? 1e-4 : 0.02);
      }
    }
  }
}

TEST(MuonUpdateTest, IsAboutAsLargeAsAdamWs) {
  std::vector<at::Tensor> gradients = {FullRankSquare(64, 3)};
  for (const Shape& shape : {Shape(32, 96), Shape(96, 32), Shape(64, 64)}) {
    gradients.push_back(RandomMatrix(shape, 8));
  }
  for (const at::Tensor& gradient : gradients) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      at::Tensor momentum = at::zeros_like(gradient);
      const at::Tensor update =
          MuonUpdate(gradient, 1e-4, 0.95, type, momentum);
      EXPECT_EQ(update.scalar_type(), type);
      EXPECT_EQ(momentum.scalar_type(), at::kFloat);
      EXPECT_NEAR(RootMeanSquare(update), 0.2, 0.04);
    }
  }
}

TEST(MuonUpdateTest, NothingComesOfNoGradient) {
  at::Tensor momentum = at::zeros({4, 6}, at::kFloat);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor zero = at::zeros({4, 6}, at::kFloat);
    EXPECT_TRUE(at::equal(
        MuonUpdate(zero, 1, 0.95, type, momentum).to(at::kFloat), zero));
    EXPECT_TRUE(at::equal(momentum, zero));
  }
}

}  // namespace
}  // namespace quaver
