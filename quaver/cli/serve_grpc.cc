// See serve_grpc.h.
#include "quaver/cli/serve_grpc.h"

#include <map>

#include "quaver/cli/bool_option.h"

namespace quaver {
namespace {

// gRPC's own; its enumeration has the same numbers.
const std::map<std::string, int> kCompressionLevels = {
    {"none", 0}, {"low", 1}, {"medium", 2}, {"high", 3}};

absl::Status SetTls(const GrpcOptions& options, GrpcServerConfig& server) {
  if (!options.use_ssl && !options.use_ssl_mutual) return absl::OkStatus();
  if (options.server_cert.empty() || options.server_key.empty()) {
    return absl::InvalidArgumentError(
        "--grpc-use-ssl needs --grpc-server-cert and --grpc-server-key");
  }
  server.tls_certificate = options.server_cert;
  server.tls_key = options.server_key;
  if (!options.use_ssl_mutual) return absl::OkStatus();
  if (options.root_cert.empty()) {
    return absl::InvalidArgumentError(
        "--grpc-use-ssl-mutual needs --grpc-root-cert");
  }
  server.tls_client_root = options.root_cert;
  return absl::OkStatus();
}

void AddKeepaliveOptions(CLI::App& command, GrpcKeepalive& alive) {
  const auto add = [&](const char* name, int& value, const char* help) {
    command.add_option(name, value, help)->capture_default_str();
  };
  add("--grpc-keepalive-time", alive.time_ms,
      "Milliseconds without a word before a client is pinged");
  add("--grpc-keepalive-timeout", alive.timeout_ms,
      "Milliseconds for its answer");
  AddBoolOption(command, "--grpc-keepalive-permit-without-calls",
                alive.permit_without_calls, "Ping idle clients, too");
  add("--grpc-http2-max-pings-without-data", alive.max_pings_without_data,
      "That the server sends");
  add("--grpc-http2-min-recv-ping-interval-without-data",
      alive.min_recv_ping_interval_without_data_ms,
      "Milliseconds between pings of a client");
  add("--grpc-http2-max-ping-strikes", alive.max_ping_strikes,
      "Pings too early before a connection is closed");
  add("--grpc-max-connection-age", alive.max_connection_age_ms,
      "Milliseconds that a connection may last; 0: any");
  add("--grpc-max-connection-age-grace", alive.max_connection_age_grace_ms,
      "Milliseconds more for its calls; 0: any");
}

void AddTlsOptions(CLI::App& command, GrpcOptions& options) {
  AddBoolOption(command, "--grpc-use-ssl", options.use_ssl,
                "TLS on the gRPC port");
  AddBoolOption(command, "--grpc-use-ssl-mutual", options.use_ssl_mutual,
                "TLS, and clients have to show a certificate");
  command.add_option("--grpc-server-cert", options.server_cert,
                     "PEM file with the server's certificate");
  command.add_option("--grpc-server-key", options.server_key,
                     "PEM file with its key");
  command.add_option("--grpc-root-cert", options.root_cert,
                     "PEM file with those that sign clients' certificates");
}

}  // namespace

void AddGrpcOptions(CLI::App& command, GrpcOptions& options) {
  AddBoolOption(command, "--allow-grpc", options.allow,
                "Serve the models over gRPC");
  command.add_flag("!--no-grpc", options.allow, "Do not");
  command.add_option("--grpc-address", options.address,
                     "To listen on for gRPC; else --address");
  command.add_option("--grpc-port", options.port, "Of gRPC; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command
      .add_option("--grpc-infer-response-compression-level",
                  options.compression_level, "Of answers: none to high")
      ->check(CLI::IsMember({"none", "low", "medium", "high"}))
      ->capture_default_str();
  AddTlsOptions(command, options);
  AddKeepaliveOptions(command, options.keepalive);
}

absl::StatusOr<GrpcFront> StartGrpc(const GrpcOptions& options,
                                    const std::string& address,
                                    const KserveConfig& config,
                                    const KserveModels& models,
                                    Metrics& metrics) {
  GrpcFront front;
  front.kserve =
      std::make_unique<KserveGrpc>(config, models, KserveGrpcConfig(), metrics);
  GrpcServerConfig server{
      .address = options.address.empty() ? address : options.address,
      .port = options.port};
  server.keepalive = options.keepalive;
  server.compression_level = kCompressionLevels.at(options.compression_level);
  server.ready = config.ready;
  server.health_service = "inference.GRPCInferenceService";
  server.on_stop = [kserve = front.kserve.get()] { kserve->EndStreams(); };
  RETURN_IF_ERROR(SetTls(options, server));
  auto started = GrpcServer::Start(server, front.kserve->service());
  if (!started.ok()) return Annotate(started.status(), "--grpc-port");
  front.server = *std::move(started);
  return front;
}

}  // namespace quaver
