// The models over gRPC as quaver serve starts them: options with Triton's words
// and meaning.
#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "quaver/base/metrics.h"
#include "quaver/net/grpc_server.h"
#include "quaver/serve/kserve_grpc.h"

namespace quaver {

struct GrpcOptions {
  bool allow = true;
  std::string address;  // empty: that of all ports
  int port = 8001;      // 0: any free one
  bool use_ssl = false;
  bool use_ssl_mutual = false;
  std::string server_cert;
  std::string server_key;
  std::string root_cert;
  std::string compression_level = "none";
  GrpcKeepalive keepalive;
};

void AddGrpcOptions(CLI::App& command, GrpcOptions& options);

// The service and its server, which stops first.
struct GrpcFront {
  std::unique_ptr<KserveGrpc> kserve;
  std::unique_ptr<GrpcServer> server;
};

// `address`: of all ports. Errors name the option. Models and metrics outlive
// it.
absl::StatusOr<GrpcFront> StartGrpc(const GrpcOptions& options,
                                    const std::string& address,
                                    const KserveConfig& config,
                                    const KserveModels& models,
                                    Metrics& metrics);

}  // namespace quaver
