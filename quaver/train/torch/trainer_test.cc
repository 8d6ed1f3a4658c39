// Tests of training: gradients against libtorch's own, workers, answers.
#include "quaver/train/torch/trainer.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/train/torch/buckets.h"
#include "quaver/train/torch/checkpoint.h"

namespace quaver {
namespace {

BartShape SmallShape() {
  BartShape shape;
  shape.vocab_size = 50;
  shape.width = 32;
  shape.encoder_layers = 2;
  shape.decoder_layers = 2;
  shape.encoder_heads = 2;
  shape.decoder_heads = 4;
  shape.encoder_ffn = 48;
  shape.decoder_ffn = 80;
  shape.max_positions = 24;
  return shape;
}

Batch RandomBatch(const BartShape& shape, int pairs, uint64_t seed) {
  Batch batch;
  Random random(seed);
  const auto text = [&](uint64_t least) {
    std::vector<int32_t> ids(least + random.Below(8));
    for (int32_t& id : ids) {
      id = static_cast<int32_t>(
          3 + random.Below(static_cast<uint64_t>(shape.vocab_size - 3)));
    }
    return ids;
  };
  for (int i = 0; i < pairs; ++i) {
    AddPair(text(2), text(1), shape.decoder_start_id, &batch);
  }
  return batch;
}

struct Outcome {
  double loss = 0;
  at::Tensor gradient;
};

// Of the summed loss, without an update.
Outcome Gradient(const Batch& batch, const BartShape& shape, TapeConfig config,
                 at::ScalarType type = at::kFloat) {
  const at::NoGradGuard no_autograd;
  Parameters parameters(shape, type, at::kCPU, false);
  parameters.Initialise(3);
  // Biases and gains that are not all alike.
  for (int64_t i = parameters.decayed(); i < parameters.size(); ++i) {
    Random random(9, static_cast<uint64_t>(i));
    parameters.master().data_ptr<float>()[i] +=
        static_cast<float>(0.1 * random.Normal());
  }
  parameters.SyncShadow();
  const BatchTensors tensors = ToTensors(batch, shape.pad_id, at::kCPU);
  Tape tape(config);
  const Ref encoded = Encode(parameters, tensors.source, tape);
  const Ref decoded =
      Decode(parameters, encoded, tensors.source, tensors.target, tape);
  const LossResult result = tape.Loss(decoded, parameters.Get("shared.weight"),
                                      tensors.labels, 0.1, 1, 4'000);
  tape.Backward();
  return {result.loss.sum().item<double>(), parameters.gradient()};
}

double Difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

TEST(TapeTest, FusedGradientsEqualLibtorchs) {
  const BartShape shape = SmallShape();
  const Batch batch = RandomBatch(shape, 7, 1);
  for (const double dropout : {0.0, 0.3}) {
    const Outcome fused =
        Gradient(batch, shape, {.dropout = dropout, .seed = 5});
    const Outcome composite = Gradient(
        batch, shape, {.composite = true, .dropout = dropout, .seed = 5});
    EXPECT_NEAR(fused.loss, composite.loss, 1e-4 * composite.loss);
    EXPECT_LT(Difference(fused.gradient, composite.gradient), 1e-5);
  }
}

TEST(TapeTest, Bf16GradientsAreNear) {
  const BartShape shape = SmallShape();
  const Batch batch = RandomBatch(shape, 7, 1);
  const Outcome exact = Gradient(batch, shape, {});
  const Outcome rounded = Gradient(batch, shape, {}, at::kBFloat16);
  EXPECT_NEAR(rounded.loss, exact.loss, 1e-2 * exact.loss);
  EXPECT_LT(Difference(rounded.gradient, exact.gradient), 0.03);
}

TEST(TapeTest, PaddingChangesNothing) {
  const BartShape shape = SmallShape();
  const Batch batch = RandomBatch(shape, 7, 1);
  const Outcome packed = Gradient(batch, shape, {});
  for (const bool composite : {false, true}) {
    const Outcome padded = Gradient(WithPadding(batch, shape.pad_id), shape,
                                    {.composite = composite});
    EXPECT_NEAR(padded.loss, packed.loss, 1e-4 * packed.loss);
    EXPECT_LT(Difference(padded.gradient, packed.gradient), 1e-5);
  }
}

// Numbers of tests/golden/bart.json are of these weights.
BartShape GoldenShape() {
  BartShape shape = SmallShape();
  shape.forced_bos = true;
  return shape;
}

TrainerConfig GoldenConfig() {
  TrainerConfig config;
  config.shape = GoldenShape();
  config.compute = at::kFloat;
  config.workers = 2;
  config.label_smoothing = 0;
  config.seed = 11;
  config.optimizer = {.weight_decay = 0.1, .clip = 1};
  return config;
}

Batch GoldenBatch(uint64_t step) {
  return RandomBatch(GoldenShape(), 6, 100 + step);
}

nlohmann::json BatchJson(const Batch& batch) {
  return {{"source", batch.source.ids},
          {"source_offsets", batch.source.offsets},
          {"target", batch.target.ids},
          {"target_offsets", batch.target.offsets},
          {"labels", batch.labels}};
}

// With QUAVER_WRITE_GOLDEN set it writes the checkpoint and the batches that
// tools/golden_bart.py reads to build/golden-bart.
TEST(GoldenTest, LogitsAndTenStepsEqualTransformers) {
  Trainer trainer(GoldenConfig());
  trainer.parameters().Initialise(7);
  if (std::getenv("QUAVER_WRITE_GOLDEN") != nullptr) {
    const std::string folder = QUAVER_SOURCE_DIR "/build/golden-bart";
    ASSERT_TRUE(MakeFolders(folder).ok());
    ASSERT_TRUE(WriteFileAtomically(folder + "/config.json",
                                    ToConfigJson(GoldenShape()))
                    .ok());
    ASSERT_TRUE(SaveWeights(folder, trainer.parameters(),
                            trainer.parameters().master(), at::kFloat)
                    .ok());
    nlohmann::json batches;
    for (uint64_t step = 1; step <= 10; ++step) {
      batches.push_back(BatchJson(GoldenBatch(step)));
    }
    ASSERT_TRUE(
        WriteFileAtomically(folder + "/batches.json", batches.dump()).ok());
  }
  const auto text = ReadFile(QUAVER_SOURCE_DIR "/tests/golden/bart.json");
  ASSERT_TRUE(text.ok()) << text.status();
  const auto golden = nlohmann::json::parse(*text);
  {
    const at::NoGradGuard no_autograd;
    const Batch batch = GoldenBatch(1);
    const BatchTensors tensors = ToTensors(batch, 1, at::kCPU);
    Tape tape({.training = false});
    const Parameters& parameters = trainer.parameters();
    const Ref decoded =
        Decode(parameters, Encode(parameters, tensors.source, tape),
               tensors.source, tensors.target, tape);
    const at::Tensor logits =
        tape.Logits(decoded, parameters.Get("shared.weight"));
    const std::vector<float> expected = golden["logits"];
    ASSERT_EQ(expected.size(), batch.labels.size() * 50);
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(logits.data_ptr<float>()[i], expected[i], 1e-4) << i;
    }
  }
  const std::vector<double> losses = golden["losses"];
  ASSERT_EQ(losses.size(), 10u);
  for (int64_t step = 1; step <= 10; ++step) {
    const StepResult result =
        trainer.Step(GoldenBatch(static_cast<uint64_t>(step)), step, 1e-2);
    EXPECT_NEAR(result.loss, losses[step - 1], 1e-3) << "step " << step;
  }
}

TrainerConfig SmallConfig(int workers, bool muon = false) {
  TrainerConfig config;
  config.shape = SmallShape();
  config.compute = at::kFloat;
  config.workers = workers;
  config.micro_tokens = 64;
  config.optimizer.average = 0.9;
  config.optimizer.muon = muon;
  return config;
}

at::Tensor WeightsAfter(const TrainerConfig& config, int steps) {
  Trainer trainer(config);
  trainer.parameters().Initialise(3);
  for (int step = 1; step <= steps; ++step) {
    trainer.Step(RandomBatch(config.shape, 20, 50 + step), step, 1e-2);
  }
  return trainer.parameters().master().clone();
}

TEST(TrainerTest, TheSameRunGivesTheSameBits) {
  for (const bool muon : {false, true}) {
    TrainerConfig config = SmallConfig(2, muon);
    config.dropout = 0.2;
    const at::Tensor once = WeightsAfter(config, 4);
    EXPECT_TRUE(at::equal(once, WeightsAfter(config, 4)));
    config.seed = 2;  // of dropout
    EXPECT_FALSE(at::equal(once, WeightsAfter(config, 4)));
  }
}

TEST(TrainerTest, WorkersShareTheBatch) {
  for (const bool muon : {false, true}) {
    const at::Tensor one = WeightsAfter(SmallConfig(1, muon), 4);
    for (const int workers : {2, 3}) {
      const at::Tensor several = WeightsAfter(SmallConfig(workers, muon), 4);
      EXPECT_LT(Difference(several, one), 1e-4) << muon << ", " << workers;
    }
  }
}

// By Muon or not.
class LearningTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(MuonAndNot, LearningTest, testing::Bool());

// Answers, exact fix and averaged weights of a model that has learnt its batch.
TEST_P(LearningTest, LearnsABatchByHeart) {
  TrainerConfig config = SmallConfig(2, GetParam());
  Trainer trainer(config);
  trainer.parameters().Initialise(3);
  Batch batch;
  std::vector<std::vector<int32_t>> targets;
  for (int32_t i = 0; i < 12; ++i) {
    const std::vector<int32_t> source = {0, 5 + i, 20 + i, 2};
    targets.push_back({30 + i, 6 + i, 40});
    std::vector<int32_t> target = targets.back();
    target.push_back(2);
    AddPair(source, target, config.shape.decoder_start_id, &batch);
  }
  StepResult result;
  for (int step = 1; step <= 150; ++step) {
    result = trainer.Step(batch, step, 5e-3);
  }
  EXPECT_LT(result.loss, 0.05);
  EXPECT_EQ(result.tokens, 12 * 8);
  EXPECT_EQ(trainer.Answer(batch.source, 10), targets);
  EXPECT_THAT(trainer.Answer(batch.source, 2)[0],
              testing::ElementsAre(targets[0][0], targets[0][1]));
  std::vector<HeldOutSet> sets(1);
  sets[0].name = "word";
  sets[0].batch = batch;
  const at::Tensor before = trainer.parameters().master().clone();
  const Figures figures = trainer.Evaluate(sets);
  ASSERT_EQ(figures.exact_fix.size(), 1u);
  EXPECT_EQ(figures.exact_fix[0].second, 1);
  EXPECT_LT(figures.loss, 0.1);
  EXPECT_TRUE(at::equal(before, trainer.parameters().master()));
}

TEST(TrainerTest, AGradientThatIsNoNumberChangesNothing) {
  Trainer trainer(SmallConfig(1));
  trainer.parameters().Initialise(3);
  trainer.parameters().gradient()[5] = NAN;
  const at::Tensor before = trainer.parameters().master().clone();
  const StepResult result =
      trainer.Step(RandomBatch(SmallShape(), 4, 1), 1, 1e-2);
  EXPECT_FALSE(result.updated);
  EXPECT_TRUE(at::equal(before, trainer.parameters().master()));
  EXPECT_TRUE(trainer.Step(RandomBatch(SmallShape(), 4, 1), 1, 1e-2).updated);
}

std::string Folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "/torch_" + name;
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(MakeFolders(folder).ok());
  return folder;
}

TEST(CheckpointTest, WeightsAreReadAsTheyWereWritten) {
  Parameters written(SmallShape(), at::kFloat, at::kCPU, false);
  written.Initialise(3);
  Parameters read(SmallShape(), at::kFloat, at::kCPU, false);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const std::string folder = Folder("weights");
    ASSERT_TRUE(SaveWeights(folder, written, written.master(), type).ok());
    ASSERT_TRUE(LoadWeights(folder, read).ok());
    EXPECT_TRUE(
        at::equal(read.master(), written.master().to(type).to(at::kFloat)));
  }
  BartShape other = SmallShape();
  other.encoder_ffn = 40;
  Parameters wrong(other, at::kFloat, at::kCPU, false);
  EXPECT_THAT(Message(LoadWeights(Folder("weights") + "/none", wrong)),
              testing::HasSubstr("none"));
  const std::string folder = Folder("weights");
  ASSERT_TRUE(SaveWeights(folder, written, written.master(), at::kFloat).ok());
  EXPECT_THAT(Message(LoadWeights(folder, wrong)),
              testing::HasSubstr("fc1.weight has the shape [48, 32]"));
}

TEST(CheckpointTest, AStateIsReadAsItWasWritten) {
  const std::string path = Folder("state") + "/state";
  const RunState state = {{{"weights", at::arange(7, at::kFloat)}},
                          {{"step", "12"}}};
  ASSERT_TRUE(SaveState(path, state).ok());
  const auto read = LoadState(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(at::equal(read->tensors.at("weights"), at::arange(7)));
  EXPECT_EQ(read->texts.at("step"), "12");
  EXPECT_TRUE(absl::IsNotFound(LoadState(path + "2").status()));
}

TEST(BucketsTest, EachIsCompleteOnceAllWorkersAre) {
  std::vector<std::pair<int64_t, int64_t>> complete;
  Buckets buckets(10, 4, 2, [&](int64_t begin, int64_t end) {
    complete.emplace_back(begin, end);
  });
  for (int round = 0; round < 2; ++round) {
    complete.clear();
    buckets.Begin();
    buckets.Ready(6, 10);
    EXPECT_TRUE(complete.empty());
    buckets.Ready(0, 10);
    EXPECT_THAT(complete, testing::ElementsAre(std::pair(8, 10)));
    buckets.Ready(0, 6);
    EXPECT_THAT(complete,
                testing::ElementsAre(std::pair(8, 10), std::pair(0, 4),
                                     std::pair(4, 8)));
  }
}

TEST(ChooseTest, SaysWhatIsNotThere) {
  EXPECT_EQ(ChooseType("fp32", at::kCPU).value(), at::kFloat);
  EXPECT_TRUE(absl::IsUnimplemented(ChooseType("fp16", at::kCPU).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ChooseDevice("tpu").status()));
  EXPECT_TRUE(ChooseDevice("auto").ok());
}

}  // namespace
}  // namespace quaver
