// Tests of a call's list of steps: against what a call does, and their times.
#include "quaver/engine/call_steps.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/engine/tiny_bart.h"
#include "quaver/engine/tiny_bert.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using Kind = CallStep::Kind;

std::string Folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  return testing::TempDir() + "/quaver_steps_" + test->name();
}

std::unique_ptr<const BertModel> Bert(Precision precision) {
  TinyBert().WriteTo(Folder());
  auto loaded = BertModel::Load(Folder(), BestKernels(), {precision, {}});
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return *std::move(loaded);
}

std::unique_ptr<const BartModel> Bart(Precision precision) {
  TinyBart().WriteTo(Folder());
  auto loaded = BartModel::Load(Folder(), BestKernels(), {precision, {}});
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return *std::move(loaded);
}

const CallStep* Find(const std::vector<CallStep>& steps,
                     const std::string& name) {
  for (const CallStep& step : steps) {
    if (step.name == name) return &step;
  }
  ADD_FAILURE() << "no step " << name;
  return nullptr;
}

std::vector<std::string> ProductsOf(const std::vector<CallStep>& steps) {
  std::vector<std::string> names;
  for (const CallStep& step : steps) {
    if (step.kind == Kind::kProduct) names.push_back(step.name);
  }
  return names;
}

TEST(CallStepsTest, OfAnEncoderComeInTheirOrder) {
  const auto steps = CallSteps(*Bert(Precision::kFp32), 5);
  std::vector<std::string> names;
  for (size_t i = 0; i < 9; ++i) names.push_back(steps[i].name);
  EXPECT_THAT(names,
              ElementsAre("embedding", "embedding_norm", "layers.0.qkv",
                          "layers.0.attention", "layers.0.attention_output",
                          "layers.0.attention_norm", "layers.0.up",
                          "layers.0.down", "layers.0.output_norm"));
  EXPECT_EQ(steps.back().name, "pooling");
  EXPECT_EQ(steps.size(), 2 + TinyBert::kLayers * 7 + 1);
}

TEST(CallStepsTest, HaveTheProductsOfACallInTheirOrder) {
  const auto bert = Bert(Precision::kInt8);
  std::vector<std::string> seen;
  BertWorkspace workspace(*bert, 3);
  workspace.Observe(
      *bert, [&](const std::string& name, auto&&...) { seen.push_back(name); });
  std::vector<float> embedding(TinyBert::kWidth);
  const std::vector<int32_t> ids = {1, 2, 3};
  const std::vector<uint32_t> offsets = {0, 3};
  bert->Encode({ids, offsets}, workspace, embedding);
  EXPECT_THAT(ProductsOf(CallSteps(*bert, 3)), ElementsAreArray(seen));
}

TEST(CallStepsTest, HaveTheProductsOfSourceAndPassInTheirOrder) {
  const auto bart = Bart(Precision::kInt8);
  std::vector<std::string> seen;
  BartCache cache(*bart, {8, 8});
  BartWorkspace workspace(*bart, 8);
  workspace.Observe(
      *bart, [&](const std::string& name, auto&&...) { seen.push_back(name); });
  const std::vector<int32_t> ids = {0, 5, 6, 2}, start = {2};
  const std::vector<uint32_t> offsets = {0, 4}, zero = {0}, one = {0, 1},
                              four = {4};
  std::vector<RowSummary> summaries(1);
  bart->Encode({ids, offsets}, zero, workspace, cache);
  bart->Decode({start, zero, zero, zero, one, zero, four}, workspace, cache,
               LogitQueries{summaries, {}, {}, {}});
  const auto steps = CallSteps(*bart, 4);
  EXPECT_THAT(ProductsOf(steps), ElementsAreArray(seen));
  EXPECT_EQ(steps.back().name, "output_summary");
}

TEST(CallStepsTest, InputsAreRoundedToTheProductsPrecision) {
  for (const Precision precision : {Precision::kInt8, Precision::kBf16}) {
    const auto steps = CallSteps(*Bert(precision), 5);
    for (size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].kind != Kind::kProduct) continue;
      if (steps[i - 1].kind == Kind::kNorm) {  // makes codes itself
        EXPECT_EQ(precision, Precision::kInt8) << steps[i].name;
        EXPECT_EQ(steps[i - 1].precision, Precision::kInt8);
        continue;
      }
      EXPECT_EQ(steps[i - 1].kind, Kind::kRounding);
      EXPECT_EQ(steps[i - 1].name, steps[i].name + ".input");
      EXPECT_EQ(steps[i - 1].precision, precision);
      EXPECT_EQ(steps[i - 1].N, steps[i].K);
    }
  }
}

TEST(CallStepsTest, BytesAndOperationsAreThoseOfTheShape) {
  constexpr size_t D = TinyBert::kWidth, M = 5;
  const auto model = Bert(Precision::kFp32);
  const auto steps = CallSteps(*model, M);
  EXPECT_EQ(Find(steps, "embedding")->bytes, (2 * M + 1) * D * 4);
  EXPECT_EQ(Find(steps, "embedding_norm")->bytes, 2 * D * 4);
  const CallStep& attention = *Find(steps, "layers.1.attention");
  EXPECT_EQ(attention.bytes, 0u);
  EXPECT_EQ(attention.operations, 4.0 * M * M * D);
  EXPECT_EQ(attention.num_heads, size_t{TinyBert::kHeads});
  const CallStep& up = *Find(steps, "layers.1.up");
  EXPECT_EQ(up.operations, 2.0 * M * D * TinyBert::kInner);
  EXPECT_EQ(up.bytes, (D + 1) * TinyBert::kInner * 4);
}

TEST(CallStepsTest, WhatHasAKernelIsMeasured) {
  for (const Precision precision : kPrecisions) {
    std::vector<CallStep> steps = CallSteps(*Bert(precision), 5);
    for (const CallStep& step : CallSteps(*Bart(precision), 3)) {
      steps.push_back(step);
    }
    for (const CallStep& step : steps) {
      const auto us = MeasureStep(BestKernels(), step, /*num_rounds=*/1);
      EXPECT_EQ(us.has_value(),
                step.kind != Kind::kEmbedding && step.kind != Kind::kPooling)
          << step.name;
      EXPECT_EQ(us.has_value(), !KernelOf(BestKernels(), step).empty());
      EXPECT_GT(us.value_or(1), 0) << step.name;
    }
  }
}

}  // namespace
}  // namespace quaver
