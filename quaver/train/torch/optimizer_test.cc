// Tests of the optimiser: which weights Muon moves, and that AdamW's are
// moved as without it, however the work is done.
#include "quaver/train/torch/optimizer.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/train/torch/muon.h"

namespace quaver {
namespace {

constexpr double kRate = 1e-2;

BartShape SmallShape() {
  BartShape shape;
  shape.vocab_size = 50;
  shape.width = 32;
  shape.encoder_layers = 2;
  shape.decoder_layers = 1;
  shape.encoder_heads = 2;
  shape.decoder_heads = 4;
  shape.encoder_ffn = 48;
  shape.decoder_ffn = 80;
  shape.max_positions = 24;
  return shape;
}

// A model whose gradients are random numbers, the same for everyone.
struct Model {
  explicit Model(const OptimizerConfig& config, int workers = 1,
                 at::ScalarType type = at::kFloat)
      : parameters(SmallShape(), type, at::kCPU, true),
        team(workers, [](int) { at::set_num_threads(1); }) {
    parameters.Initialise(3);
    optimizer = std::make_unique<Optimizer>(parameters, team, config);
  }

  void SetGradient(int64_t step) {
    Random random(17, static_cast<uint64_t>(step));
    auto* values = parameters.gradient().data_ptr<float>();
    for (int64_t i = 0; i < parameters.size(); ++i) {
      values[i] = static_cast<float>(0.01 * random.Normal());
    }
  }

  Model& Run(int64_t steps) {
    const at::NoGradGuard no_autograd;
    for (int64_t step = 1; step <= steps; ++step) {
      SetGradient(step);
      optimizer->Step(step, kRate);
    }
    return *this;
  }

  // What is kept from step to step.
  std::vector<at::Tensor> State() {
    return {parameters.master(), parameters.moment1(), parameters.moment2(),
            optimizer->average()};
  }

  Parameters parameters;
  Team team;
  std::unique_ptr<Optimizer> optimizer;
};

OptimizerConfig Config(bool muon, bool fused = true) {
  return {.weight_decay = 0.1,
          .clip = 0.5,
          .average = 0.9,
          .fused = fused,
          .muon = muon};
}

double Difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

TEST(ParametersTest, TheLayersMatricesLieBetweenTablesAndBiases) {
  const Parameters parameters(SmallShape(), at::kFloat, at::kCPU, false);
  EXPECT_EQ(parameters.layers(), (50 + 2 * 26) * 32);
  int matrices = 0;
  for (const Parameters::Entry& entry : parameters.entries()) {
    const bool within = entry.begin >= parameters.layers() &&
                        entry.begin < parameters.decayed();
    const bool of_layer = entry.name.find(".layers.") != std::string::npos;
    EXPECT_EQ(within, of_layer && entry.shape.size() == 2) << entry.name;
    matrices += within ? 1 : 0;
  }
  EXPECT_EQ(matrices, 2 * 6 + 10);
}

TEST(OptimizerTest, MuonMovesTheLayersMatricesOnly) {
  for (const bool fused : {true, false}) {
    Model muon(Config(true, fused)), adam_w(Config(false, fused));
    const auto got = muon.Run(4).State(), want = adam_w.Run(4).State();
    const int64_t begin = muon.parameters.layers();
    const int64_t end = muon.parameters.decayed();
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_TRUE(
          at::equal(got[i].slice(0, 0, begin), want[i].slice(0, 0, begin)))
          << i;
      EXPECT_TRUE(at::equal(got[i].slice(0, end), want[i].slice(0, end))) << i;
      EXPECT_FALSE(
          at::equal(got[i].slice(0, begin, end), want[i].slice(0, begin, end)))
          << i;
    }
    EXPECT_EQ(got[2].slice(0, begin, end).count_nonzero().item<int64_t>(), 0);
    EXPECT_EQ(muon.parameters.gradient().count_nonzero().item<int64_t>(), 0);
  }
}

// Each matrix by itself, by the clipped gradient, with decay and average.
void CompareMuonsStep(at::ScalarType type, double bound) {
  Model model(Config(true), 2, type);
  Parameters& parameters = model.parameters;
  at::Tensor weights = parameters.master().clone();
  at::Tensor average = weights.clone();
  at::Tensor momentum = at::zeros_like(weights);
  for (int64_t step = 1; step <= 3; ++step) {
    model.SetGradient(step);
    at::Tensor gradient = parameters.gradient().clone();
    const double norm = gradient.norm().item<double>();
    ASSERT_GT(norm, 0.5);
    gradient.mul_(0.5 / norm);
    EXPECT_NEAR(model.optimizer->Step(step, kRate), norm, 1e-4 * norm);
    for (const Parameters::Entry& entry : parameters.entries()) {
      if (entry.begin < parameters.layers() || entry.shape.size() != 2) {
        continue;
      }
      const auto matrix = [&](const at::Tensor& flat) {
        return flat
            .slice(0, entry.begin,
                   entry.begin + entry.shape[0] * entry.shape[1])
            .view(entry.shape);
      };
      at::Tensor own = matrix(momentum);
      const at::Tensor update =
          MuonUpdate(matrix(gradient), 1, 0.95, type, own);
      matrix(weights).mul_(1 - kRate * 0.1).sub_(update.to(at::kFloat), kRate);
      const double decay = (1.0 + step) / (10.0 + step);  // not yet 0.9
      matrix(average).mul_(decay).add_(matrix(weights), 1 - decay);
      EXPECT_LT(Difference(matrix(parameters.master()), matrix(weights)), bound)
          << entry.name;
      EXPECT_LT(Difference(matrix(parameters.moment1()), matrix(momentum)),
                1e-5)
          << entry.name;
      EXPECT_LT(Difference(matrix(model.optimizer->average()), matrix(average)),
                bound)
          << entry.name;
    }
  }
}

TEST(OptimizerTest, MuonsStepIsMuonsUpdate) {
  CompareMuonsStep(at::kFloat, 1e-5);
  // The scale is applied before or after rounding.
  CompareMuonsStep(at::kBFloat16, 3e-3);
}

TEST(OptimizerTest, TheSameBitsWhateverTheWorkers) {
  for (const bool muon : {true, false}) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      Model one(Config(muon), 1, type);
      const auto want = one.Run(3).State();
      for (const int workers : {2, 3, 40}) {
        Model several(Config(muon), workers, type);
        const auto got = several.Run(3).State();
        for (size_t i = 0; i < got.size(); ++i) {
          EXPECT_TRUE(at::equal(got[i], want[i])) << workers << ", " << i;
        }
      }
    }
  }
}

TEST(OptimizerTest, FusedAndUnfusedAgree) {
  for (const bool muon : {true, false}) {
    Model fused(Config(muon, true), 2), unfused(Config(muon, false), 1);
    const auto got = fused.Run(5).State(), want = unfused.Run(5).State();
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_LT(Difference(got[i], want[i]), 1e-5) << i;
    }
    const double most =
        (got[0] - want[0]).abs().max().item<double>();  // of any weight
    EXPECT_LT(most, 1e-5);
  }
}

TEST(OptimizerTest, TheShadowFollowsTheWeights) {
  for (const bool muon : {true, false}) {
    for (const bool fused : {true, false}) {
      Model model(Config(muon, fused), 2, at::kBFloat16);
      model.Run(2);
      EXPECT_TRUE(at::equal(model.parameters.shadow(),
                            model.parameters.master().to(at::kBFloat16)));
    }
  }
}

TEST(OptimizerTest, NeedsNoAverage) {
  OptimizerConfig config = Config(true);
  Model with(config);
  config.average = 0;
  Model without(config);
  EXPECT_FALSE(without.optimizer->average().defined());
  EXPECT_TRUE(at::equal(without.Run(2).parameters.master(),
                        with.Run(2).parameters.master()));
}

TEST(OptimizerTest, AGradientThatIsNoNumberIsForgotten) {
  for (const bool fused : {true, false}) {
    Model model(Config(true, fused));
    model.Run(1);
    std::vector<at::Tensor> before;
    for (const at::Tensor& tensor : model.State()) {
      before.push_back(tensor.clone());
    }
    model.SetGradient(2);
    model.parameters.gradient()[model.parameters.layers() + 5] = INFINITY;
    EXPECT_FALSE(std::isfinite(model.optimizer->Step(2, kRate)));
    const auto after = model.State();
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_TRUE(at::equal(after[i], before[i])) << i;
    }
    EXPECT_EQ(model.parameters.gradient().count_nonzero().item<int64_t>(), 0);
  }
}

}  // namespace
}  // namespace quaver
