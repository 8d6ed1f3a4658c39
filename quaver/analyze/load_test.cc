// Tests of the load generator against a server in this process.
#include "quaver/analyze/load.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/net/http_server.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

TEST(PoissonArrivalsTest, HaveTheRateAndTheSpreadOfAPoissonProcess) {
  const std::vector<int64_t> arrivals = PoissonArrivals(1000, 20, 7);
  EXPECT_NEAR(static_cast<double>(arrivals.size()), 20'000,
              5 * std::sqrt(20'000.0));
  EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end()));
  EXPECT_GE(arrivals.front(), 0);
  EXPECT_LT(arrivals.back(), 20'000'000);
  // Counts of a tenth of a second vary as much as they are large.
  std::vector<double> counts(200);
  for (const int64_t at : arrivals) ++counts[static_cast<size_t>(at / 100'000)];
  double variance = 0;
  for (const double count : counts) variance += (count - 100) * (count - 100);
  EXPECT_NEAR(variance / 200, 100, 40);
  EXPECT_EQ(arrivals, PoissonArrivals(1000, 20, 7));
  EXPECT_NE(arrivals, PoissonArrivals(1000, 20, 8));
}

TEST(RunLoadTest, CountsWhatBecameOfEveryRequest) {
  std::atomic<int> asked = 0;
  const auto server =
      HttpServer::Start({.handler_threads = 2}, [&](HttpRequest& request) {
        ++asked;
        HttpResponse response;
        response.status = request.path == "/bad" ? 503 : 200;
        response.body = request.body;
        return response;
      });
  ASSERT_TRUE(server.ok());
  LoadConfig config{.port = (*server)->port(),
                    .rate = 2000,
                    .seconds = 0.2,
                    .warmup_seconds = 0.1,
                    .connections = 4};
  config.requests = {{"POST", "/good", "a"}, {"GET", "/bad", ""}};
  const auto report = RunLoad(config);
  ASSERT_TRUE(report.ok()) << report.status();
  const size_t all =
      PoissonArrivals(config.rate, 0.1 + 0.2, config.seed).size();
  EXPECT_EQ(static_cast<size_t>(asked), all);
  EXPECT_LT(report->sent, all);
  EXPECT_GT(report->sent, all / 3);
  EXPECT_TRUE(report->errors.empty());
  EXPECT_EQ(report->by_status.at(200) + report->by_status.at(503),
            report->sent);
  EXPECT_EQ(report->succeeded, report->by_status.at(200));
  EXPECT_GT(report->p50_ms, 0);
  EXPECT_LE(report->p50_ms, report->p99_ms);
  EXPECT_LE(report->p99_ms, report->max_ms);
}

// One request at a time and a server that holds the first: the others were due
// meanwhile, and their latency says so.
TEST(RunLoadTest, AStallIsSeenByAllThatWereDue) {
  std::atomic<bool> stalled = false;
  const auto server =
      HttpServer::Start({.handler_threads = 1}, [&](HttpRequest&) {
        if (!stalled.exchange(true)) {
          std::this_thread::sleep_for(std::chrono::milliseconds(200));
        }
        return HttpResponse();
      });
  ASSERT_TRUE(server.ok());
  LoadConfig config{.port = (*server)->port(),
                    .rate = 1000,
                    .seconds = 0.1,
                    .warmup_seconds = 0,
                    .connections = 1};
  config.requests = {{"GET", "/", ""}};
  const auto report = RunLoad(config);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GE(report->p50_ms, 100);
  EXPECT_GE(report->late_p99_ms, 100);
}

TEST(RunLoadTest, ALostServerIsAnErrorOfItsRequests) {
  std::atomic<int> asked = 0;
  std::unique_ptr<HttpServer> server;
  std::thread stopper;
  server = HttpServer::Start({.handler_threads = 1}, [&](HttpRequest&) {
             if (++asked == 5) stopper = std::thread([&] { server->Stop(0); });
             return HttpResponse();
           }).value();
  LoadConfig config{.port = server->port(),
                    .rate = 500,
                    .seconds = 0.2,
                    .warmup_seconds = 0,
                    .connections = 2,
                    .timeout_ms = 1000};
  config.requests = {{"GET", "/", ""}};
  const auto report = RunLoad(config);
  stopper.join();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->errors.empty());
  uint64_t errors = 0;
  for (const auto& [reason, count] : report->errors) errors += count;
  EXPECT_EQ(report->succeeded + errors, report->sent);
}

TEST(RunLoadTest, SenselessConfigsAreRefused) {
  const auto message = [](const LoadConfig& config) {
    return std::string(RunLoad(config).status().message());
  };
  EXPECT_THAT(message({.port = 1}), HasSubstr("no request"));
  LoadConfig config;
  config.requests = {{"GET", "/", ""}};
  config.rate = 0;
  EXPECT_THAT(message(config), HasSubstr("greater than 0"));
  config.rate = 1e9;
  EXPECT_THAT(message(config), HasSubstr("hundred million"));
}

}  // namespace
}  // namespace quaver
