// Tests of a model's statistics: what real batches, a cache and an ensemble
// become on the wire.
#include "quaver/serve/kserve_statistics.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/sched/batching_servable.h"
#include "quaver/sched/ensemble.h"
#include "quaver/sched/response_cache.h"
#include "quaver/sched/servable_fixture.h"
#include "quaver/sched/single_flight.h"
#include "quaver/serve/counted_servable.h"
#include "quaver/serve/internal/limited_servable.h"

namespace quaver {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;

std::shared_ptr<Servable> Echo(Gate& gate) {
  return std::make_shared<FunctionServable>(
      std::vector<TensorSpec>{{"X", Datatype::kInt32, {-1}}},
      std::vector<TensorSpec>{{"X", Datatype::kInt32, {-1}}},
      [&gate](const Tensors& request, const CallOptions&,
              CallTimes*) -> absl::StatusOr<Tensors> {
        gate.Pass();
        return request;
      });
}

std::shared_ptr<Servable> Batched(Gate& gate) {
  auto made = BatchingServable::Create(
      {.batcher = {.num_instances = 1, .max_batch_size = 8}},
      [&gate](int) { return Echo(gate); });
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

// A batch of one call, then one of two with three rows.
void ComputeTwoBatches(Servable& model, Gate& gate) {
  gate.Set(false);
  std::vector<std::thread> threads;
  const auto ask = [&](std::vector<int32_t> values) {
    threads.emplace_back([&model, values] {
      const auto rows = static_cast<int64_t>(values.size());
      EXPECT_TRUE(model.Infer({Numbers("X", {rows}, values)}).ok());
    });
  };
  ask({1});
  AwaitThat([&] { return gate.num_waiting() == 1; });
  ask({2, 3});
  ask({4});
  AwaitThat([&] { return model.counts().batcher->num_queued == 2; });
  gate.Set(true);
  for (std::thread& thread : threads) thread.join();
}

TEST(KserveStatisticsTest, ExecutionsAreBatches) {
  Metrics metrics;
  Gate gate;
  const auto model = Batched(gate);
  ModelStatistics statistics("m", "1", metrics, {}, model.get());
  ComputeTwoBatches(*model, gate);
  for (const int rows : {1, 2, 1}) {
    statistics.RecordSuccess(rows, {.total_us = 3'000, .infer_us = 2'000}, 7);
  }
  const Json stats = statistics.ToJson();
  EXPECT_EQ(stats["inference_count"], 4);
  EXPECT_EQ(stats["execution_count"], 2);
  EXPECT_EQ(stats["inference_stats"]["success"]["count"], 3);
  ASSERT_EQ(stats["batch_stats"].size(), 2u);
  EXPECT_EQ(stats["batch_stats"][0]["batch_size"], 1);
  EXPECT_EQ(stats["batch_stats"][1]["batch_size"], 3);
  EXPECT_EQ(stats["batch_stats"][1]["compute_infer"]["count"], 1);
  for (int round = 0; round < 2; ++round) {  // read twice, counted once
    const std::string exposed = metrics.Expose();
    for (const char* line :
         {"nv_inference_count{model=\"m\",version=\"1\"} 4\n",
          "nv_inference_exec_count{model=\"m\",version=\"1\"} 2\n",
          "nv_inference_request_success{model=\"m\",version=\"1\"} 3\n",
          "nv_inference_pending_request_count{model=\"m\",version=\"1\"} 0\n",
          "quaver_instances{model=\"m\",version=\"1\"} 1\n",
          "quaver_batch_size_count{model=\"m\",version=\"1\"} 2\n",
          "quaver_batch_size_sum{model=\"m\",version=\"1\"} 4\n",
          "quaver_batch_size_bucket{model=\"m\",version=\"1\",le=\"2\"} 1\n",
          "quaver_batch_close_total{model=\"m\",reason=\"delay\",version=\"1\"}"
          " 2\n",
          "quaver_inference_request_seconds_count{model=\"m\",version=\"1\"} "
          "3\n",
          "quaver_inference_compute_seconds_bucket{model=\"m\",version=\"1\","
          "le=\"0.002\"} 3\n"}) {
      EXPECT_THAT(exposed, HasSubstr(line));
    }
  }
}

TEST(KserveStatisticsTest, SeriesGoOnAfterAReload) {
  Metrics metrics;
  Gate gate;
  for (int load = 0; load < 2; ++load) {
    const auto model = Batched(gate);
    const ModelStatistics statistics("m", "1", metrics, {}, model.get());
    ComputeTwoBatches(*model, gate);
  }  // never read before it went
  EXPECT_THAT(metrics.Expose(),
              HasSubstr("nv_inference_exec_count{model=\"m\",version=\"1\"} "
                        "4\n"));
}

TEST(KserveStatisticsTest, HitsOfTheCacheAreNoInferences) {
  Metrics metrics;
  Gate gate;
  ResponseCache cache(1 << 20);
  CachingServable model(std::make_shared<SingleFlightServable>(Echo(gate)),
                        {"m", 1}, cache);
  ModelStatistics statistics("m", "1", metrics, {}, &model);
  for (int i = 0; i < 3; ++i) {
    CallTimes times;
    ASSERT_TRUE(model.Infer({Numbers("X", {1}, {1})}, {}, &times).ok());
    statistics.RecordSuccess(1, {.from_cache = times.from_cache}, 7);
  }
  const Json stats = statistics.ToJson();
  EXPECT_EQ(stats["inference_count"], 1);
  EXPECT_EQ(stats["execution_count"], 1);
  EXPECT_EQ(stats["inference_stats"]["success"]["count"], 3);
  EXPECT_EQ(stats["inference_stats"]["compute_infer"]["count"], 1);
  EXPECT_EQ(stats["inference_stats"]["cache_hit"]["count"], 2);
  EXPECT_EQ(stats["inference_stats"]["cache_miss"]["count"], 1);
  const std::string exposed = metrics.Expose();
  for (const char* line :
       {"nv_cache_num_hits_per_model{model=\"m\",version=\"1\"} 2\n",
        "nv_cache_num_misses_per_model{model=\"m\",version=\"1\"} 1\n",
        "quaver_cache_entries{model=\"m\",version=\"1\"} 1\n",
        "quaver_shared_inference_total{model=\"m\",version=\"1\"} 0\n",
        "nv_inference_exec_count{model=\"m\",version=\"1\"} 1\n"}) {
    EXPECT_THAT(exposed, HasSubstr(line));
  }
  EXPECT_THAT(exposed, Not(HasSubstr("quaver_batch_size")));
}

std::string Pending(int count) {
  return fmt::format(
      "nv_inference_pending_request_count{{model=\"m\",version=\"1\"}} {}\n",
      count);
}

TEST(KserveStatisticsTest, WhatWaitsIsToldWithoutABatcherToo) {
  Metrics metrics;
  Gate gate;
  const auto limited =
      LimitedServable::Create(Echo(gate), {.num_instances = 1}, {});
  ASSERT_TRUE(limited.ok()) << limited.status();
  Servable& model = **limited;
  std::vector<std::thread> threads;
  {
    const ModelStatistics statistics("m", "1", metrics, {}, &model);
    EXPECT_THAT(metrics.Expose(), HasSubstr(Pending(0)));
    gate.Set(false);
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&model] {
        EXPECT_TRUE(model.Infer({Numbers("X", {1}, {1})}).ok());
      });
    }
    AwaitThat([&] { return model.counts().num_waiting == 2; });
    EXPECT_THAT(metrics.Expose(), HasSubstr(Pending(2)));
  }
  EXPECT_THAT(metrics.Expose(), HasSubstr(Pending(0)));
  gate.Set(true);
  for (std::thread& thread : threads) thread.join();
}

TEST(KserveStatisticsTest, WhatTheProgramItselfAsksIsCounted) {
  Metrics metrics;
  Gate gate;
  KserveModels models(metrics);
  ASSERT_TRUE(models.Add("m", Echo(gate), 8).ok());
  CountedServable counted(*models.Find("m"));
  EXPECT_EQ(counted.inputs()[0].name, "X");
  EXPECT_EQ(counted.outputs()[0].name, "X");
  ASSERT_TRUE(counted.Infer({Numbers("X", {3}, {1, 2, 3})}).ok());
  ASSERT_TRUE(counted.Infer({Numbers("X", {1}, {1})}).ok());
  const std::string exposed = metrics.Expose();
  for (const char* line :
       {"nv_inference_request_success{model=\"m\",version=\"1\"} 2\n",
        "nv_inference_count{model=\"m\",version=\"1\"} 4\n",
        "nv_inference_exec_count{model=\"m\",version=\"1\"} 2\n"}) {
    EXPECT_THAT(exposed, HasSubstr(line));
  }
}

TEST(KserveStatisticsTest, StepsOfAnEnsembleAreCounted) {
  Metrics metrics;
  Gate gate;
  const auto member = Echo(gate);
  const TensorSpec in = {"IN", Datatype::kInt32, {-1}};
  const TensorSpec out = {"OUT", Datatype::kInt32, {-1}};
  auto ensemble = EnsembleServable::Create(
      {.name = "e",
       .inputs = {in},
       .outputs = {out},
       .steps = {{"echo", -1, {{"X", "IN"}}, {{"X", "OUT"}}}}},
      [&](const std::string&, int64_t) { return member; });
  ASSERT_TRUE(ensemble.ok()) << ensemble.status();
  const ModelStatistics statistics("e", "1", metrics, {}, ensemble->get());
  ASSERT_TRUE((*ensemble)->Infer({Numbers("IN", {1}, {1})}).ok());
  EXPECT_THAT(metrics.Expose(),
              HasSubstr("quaver_ensemble_step_total{member=\"echo\",model=\"e\""
                        ",step=\"1\",version=\"1\"} 1\n"));
}

}  // namespace
}  // namespace quaver
