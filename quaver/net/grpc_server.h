// A gRPC server: a port, its limits, TLS, health and reflection for a service.
//
//   ASSIGN_OR_RETURN(auto server, GrpcServer::Start(
//       {.port = 8001}, kserve.service()));
//   server->Stop(/*deadline_ms=*/5'000);
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "quaver/base/status.h"

namespace grpc {
class Service;
}

namespace quaver {

// gRPC's and Triton's words and defaults.
struct GrpcKeepalive {
  int time_ms = 7'200'000;  // without a word, before the client is pinged
  int timeout_ms = 20'000;  // for its answer, before the connection is closed
  bool permit_without_calls = false;
  int max_pings_without_data = 2;
  int min_recv_ping_interval_without_data_ms = 300'000;
  int max_ping_strikes = 2;       // pings more often than that, then it ends
  int max_connection_age_ms = 0;  // 0: any
  int max_connection_age_grace_ms = 0;  // for its calls; 0: any
};

struct GrpcServerConfig {
  std::string address = "127.0.0.1";  // a number, version 4 or 6
  int port = 0;                       // 0: any free one
  size_t max_message_bytes = 64 << 20;
  // Of what connections read and have not given to a method yet, about.
  size_t max_buffered_bytes = 512 << 20;
  int max_concurrent_streams = 1'024;  // of a connection
  GrpcKeepalive keepalive;
  // Compresses answers as the client accepts it: 0 not, 1 little to 3 most.
  int compression_level = 0;

  // PEM files: the certificate with its chain, and its key. Both or none; with
  // them every connection is TLS.
  std::string tls_certificate;
  std::string tls_key;
  // Authorities that clients' certificates have to be signed by; "": clients
  // need none.
  std::string tls_client_root;

  // Why requests should go elsewhere, OK when they should come. Null: always
  // ready. grpc.health.v1.Health says so for "" and `health_service`, at most
  // kHealthPeriodUs later.
  std::function<absl::Status()> ready = nullptr;
  std::string health_service;
  // The first thing that Stop does: end the calls that have no end.
  std::function<void()> on_stop = nullptr;
};

// Answers grpc.health.v1.Health and reflection by itself. A compressed request
// reaches its method as it is: gRPC would inflate it without bound.
class GrpcServer {
 public:
  static constexpr int64_t kHealthPeriodUs = 100'000;

  // Accepts connections once it returns. InvalidArgument for a bad address,
  // certificate or key; AlreadyExists when the port is taken. The service
  // outlives the server.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const GrpcServerConfig& config, grpc::Service& service);
  ~GrpcServer();  // Stop(0)

  int port() const;  // the real one

  // Accepts no more, finishes calls in flight, cancels what is not done after
  // `deadline_ms`, waits for running methods and returns. The second call does
  // nothing. Not from a method.
  void Stop(int deadline_ms);

 private:
  struct Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quaver
