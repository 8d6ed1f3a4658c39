// Tests of health, metrics and request counts, through a real server.
#include "quaver/serve/operations.h"

#include <atomic>
#include <map>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/base/log.h"
#include "quaver/net/http_client.h"
#include "quaver/net/http_server.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OperationsTest : public testing::Test {
 protected:
  void Start(const OperationsConfig& config) {
    router_.Add("GET", "/things/{id}",
                [](const HttpRequest&) { return HttpResponse(); });
    RegisterOperations(router_, config, metrics_);
    HttpServerConfig server;
    server.handler_threads = 2;
    server.on_refused = CountRefusals(metrics_);
    server_ = HttpServer::Start(server, [this](HttpRequest& request) {
                return router_.Handle(request);
              }).value();
    client_ = HttpClient::Connect("127.0.0.1", server_->port()).value();
  }

  HttpResponse Get(const std::string& target) {
    return client_->Get(target).value();
  }

  Metrics metrics_;
  Router router_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(OperationsTest, ReadinessFollowsTheCheckAndLivenessDoesNot) {
  std::atomic<bool> ready{false};
  Start({.ready = [&] {
    return ready ? absl::OkStatus()
                 : absl::UnavailableError("the index is being read");
  }});
  const HttpResponse response = Get("/health/ready");
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(FindField(response.headers, "retry-after"), nullptr);
  const auto json = nlohmann::json::parse(response.body);
  EXPECT_EQ(json["error"], "not ready: the index is being read");
  EXPECT_EQ(json["status"], 503);
  EXPECT_EQ(Get("/health/live").status, 200);
  ready = true;
  EXPECT_EQ(nlohmann::json::parse(Get("/health/ready").body)["status"],
            "ready");
}

TEST_F(OperationsTest, WithoutACheckItIsReady) {
  Start({});
  EXPECT_EQ(Get("/health/ready").status, 200);
}

TEST_F(OperationsTest, RequestsAreCountedByRouteNotByPath) {
  Start({.access_log = true});
  Get("/things/one");
  Get("/things/two");
  Get("/made/up?q=secret");
  EXPECT_EQ(client_->Send("DELETE", "/things/one")->status, 405);
  const HttpResponse response = Get("/metrics");
  EXPECT_THAT(response.content_type, HasSubstr("version=0.0.4"));
  for (const char* line :
       {"quaver_http_requests_total{code=\"200\",method=\"GET\",route=\""
        "/things/{id}\"} 2",
        "quaver_http_requests_total{code=\"404\",method=\"GET\",route="
        "\"none\"} 1",
        "quaver_http_requests_total{code=\"405\",method=\"DELETE\",route=\""
        "/things/{id}\"} 1",
        "quaver_http_request_seconds_count{route=\"/things/{id}\"} 3",
        "quaver_http_request_seconds_bucket{route=\"/things/{id}\",le="
        "\"1\"} 3"}) {
    EXPECT_THAT(response.body, HasSubstr(line));
  }
  EXPECT_THAT(response.body, Not(HasSubstr("made")));
  EXPECT_THAT(response.body, Not(HasSubstr("secret")));
}

TEST_F(OperationsTest, AnAccessIsALineOfFields) {
  Start({.access_log = true});
  SetLogFormat(LogFormat::kJson);
  testing::internal::CaptureStderr();
  Get("/things/one?q=secret");
  Get("/health/live");  // the line of the first is there by now
  const std::string lines = testing::internal::GetCapturedStderr();
  SetLogFormat(LogFormat::kText);
  const auto json = nlohmann::json::parse(lines.substr(0, lines.find('\n')));
  EXPECT_EQ(json["level"], "info");
  EXPECT_EQ(json["method"], "GET");
  EXPECT_EQ(json["route"], "/things/{id}");
  EXPECT_EQ(json["status"], 200);
  EXPECT_GE(json["seconds"].get<double>(), 0);
  EXPECT_THAT(lines, Not(HasSubstr("secret")));
}

TEST_F(OperationsTest, TheMachineIsMeasured) {
  Start({});
  Get("/metrics");
  std::istringstream lines(Get("/metrics").body);
  std::map<std::string, double> values;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("nv_cpu_")) continue;
    const size_t space = line.find(' ');
    values[line.substr(0, space)] = std::stod(line.substr(space));
  }
  ASSERT_EQ(values.size(), 3u);
  EXPECT_GE(values["nv_cpu_utilization"], 0);
  EXPECT_LE(values["nv_cpu_utilization"], 1);
  EXPECT_GT(values["nv_cpu_memory_used_bytes"], 0);
  EXPECT_GT(values["nv_cpu_memory_total_bytes"],
            values["nv_cpu_memory_used_bytes"]);
}

TEST_F(OperationsTest, WhatNeverReachedARouteIsCountedApart) {
  Start({});
  ASSERT_TRUE(client_->Write("nonsense\r\n\r\n").ok());
  EXPECT_EQ(client_->Read()->status, 400);
  client_ = HttpClient::Connect("127.0.0.1", server_->port()).value();
  EXPECT_THAT(Get("/metrics").body,
              HasSubstr("quaver_http_refused_total{code=\"400\"} 1"));
}

}  // namespace
}  // namespace quaver
