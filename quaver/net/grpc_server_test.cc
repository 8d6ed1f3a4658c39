// Tests of the port, of health and of stopping, over a service without methods.
#include "quaver/net/grpc_server.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using ::testing::HasSubstr;

class EmptyService : public grpc::Service {};

class GrpcServerTest : public testing::Test {
  void SetUp() override {
#ifdef QUAVER_TSAN
    GTEST_SKIP() << "TSan cannot see what Debian's gRPC synchronises";
#endif
  }
};

std::string StartError(const GrpcServerConfig& config) {
  EmptyService service;
  const auto server = GrpcServer::Start(config, service);
  EXPECT_FALSE(server.ok());
  return server.ok() ? "" : server.status().ToString();
}

// What Check of grpc.health.v1 says of a service's name: 1 that it serves, 2
// that it does not; -1 for one that is unknown.
int Health(int port, const std::string& service) {
  const auto channel = grpc::CreateChannel(fmt::format("127.0.0.1:{}", port),
                                           grpc::InsecureChannelCredentials());
  grpc::GenericStub stub(channel);
  // Field 1 of the request is the name, field 1 of the answer the status.
  std::string request;
  if (!service.empty()) {
    request =
        "\x0a" + std::string(1, static_cast<char>(service.size())) + service;
  }
  const grpc::Slice slice(request);
  const grpc::ByteBuffer sent(&slice, 1);
  grpc::ByteBuffer received;
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  grpc::Status status;
  auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check",
                                    sent, &queue);
  call->StartCall();
  call->Finish(&received, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) return -1;
  EXPECT_TRUE(status.ok()) << status.error_message();
  grpc::Slice answer;
  EXPECT_TRUE(received.DumpToSingleSlice(&answer).ok());
  return answer.size() == 2 ? answer.begin()[1] : 0;
}

// The watcher of readiness needs a moment.
void AwaitHealth(int port, const std::string& service, int status) {
  for (int i = 0; i < 1'000 && Health(port, service) != status; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(Health(port, service), status);
}

TEST_F(GrpcServerTest, SaysWhyItCannotStart) {
  EXPECT_THAT(StartError({.address = "localhost"}),
              HasSubstr("INVALID_ARGUMENT: cannot listen on localhost"));
  EXPECT_THAT(StartError({.port = 65536}), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(StartError({.compression_level = 4}), HasSubstr("from 0 to 3"));
  EmptyService service;
  const auto first = GrpcServer::Start({}, service);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(StartError({.port = (*first)->port()}),
              HasSubstr("ALREADY_EXISTS: cannot listen on 127.0.0.1:"));
}

TEST_F(GrpcServerTest, SaysWhatIsWrongWithACertificate) {
  const std::string file = testing::TempDir() + "/grpc_no.pem";
  std::ofstream(file) << "no PEM\n";
  EXPECT_THAT(StartError({.tls_certificate = file}), HasSubstr("both"));
  EXPECT_THAT(StartError({.tls_client_root = file}), HasSubstr("both"));
  EXPECT_THAT(StartError({.tls_certificate = file, .tls_key = file}),
              HasSubstr("grpc_no.pem: no certificate in PEM"));
}

TEST_F(GrpcServerTest, ListensOnVersion6) {
  EmptyService service;
  const auto server = GrpcServer::Start({.address = "::1"}, service);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_GT((*server)->port(), 0);
}

TEST_F(GrpcServerTest, HealthFollowsReadiness) {
  std::atomic<bool> is_ready{false};
  GrpcServerConfig config;
  config.health_service = "a.Service";
  config.ready = [&] {
    return is_ready ? absl::OkStatus() : absl::UnavailableError("replaying");
  };
  EmptyService service;
  const auto server = GrpcServer::Start(config, service);
  ASSERT_TRUE(server.ok()) << server.status();
  const int port = (*server)->port();
  AwaitHealth(port, "", 2);
  EXPECT_EQ(Health(port, "a.Service"), 2);
  EXPECT_EQ(Health(port, "another"), -1);
  is_ready = true;
  AwaitHealth(port, "", 1);
  AwaitHealth(port, "a.Service", 1);
}

TEST_F(GrpcServerTest, StopsOnceAndSaysSoFirst) {
  int num_stops = 0;
  EmptyService service;
  const auto server =
      GrpcServer::Start({.on_stop = [&] { ++num_stops; }}, service);
  ASSERT_TRUE(server.ok()) << server.status();
  const int port = (*server)->port();
  (*server)->Stop(1'000);
  EXPECT_EQ(num_stops, 1);
  (*server)->Stop(1'000);
  EXPECT_EQ(num_stops, 1);
  const auto again = GrpcServer::Start({.port = port}, service);
  EXPECT_TRUE(again.ok()) << again.status();
}

}  // namespace
}  // namespace quaver
