// See grpc_server.h.
#include "quaver/net/grpc_server.h"

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "quaver/base/file.h"
#include "quaver/base/log.h"
#include "quaver/base/mutex.h"

namespace quaver {
namespace {

constexpr int kHandshakeTimeoutMs = 10'000;  // as for HTTP's header
constexpr size_t kMaxPemBytes = 1 << 20;

// What gRPC has to say goes where all else does.
void LogOfGrpc(gpr_log_func_args* said) {
  LogLevel level = LogLevel::kDebug;
  if (said->severity == GPR_LOG_SEVERITY_INFO) level = LogLevel::kInfo;
  if (said->severity == GPR_LOG_SEVERITY_ERROR) level = LogLevel::kWarning;
  Log(level, fmt::format("gRPC: {}", said->message));
}

// What holds for the process. gRPC stays initialised to its end: with the last
// of its objects it would join a thread that polls for up to 10 s after a large
// answer.
void PrepareGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc_init();
    gpr_set_log_function(LogOfGrpc);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

// "127.0.0.1:8001", "[::1]:8001".
absl::StatusOr<std::string> HostAndPort(const GrpcServerConfig& config) {
  in6_addr parsed;
  if (inet_pton(AF_INET, config.address.c_str(), &parsed) == 1) {
    return fmt::format("{}:{}", config.address, config.port);
  }
  if (inet_pton(AF_INET6, config.address.c_str(), &parsed) == 1) {
    return fmt::format("[{}]:{}", config.address, config.port);
  }
  return absl::InvalidArgumentError(fmt::format(
      "cannot listen on {}: it is no address in numbers", config.address));
}

absl::Status CheckNumbers(const GrpcServerConfig& config) {
  if (config.port < 0 || config.port > 65535) {
    return absl::InvalidArgumentError(
        fmt::format("port must be from 0 to 65535, not {}", config.port));
  }
  if (config.compression_level < 0 || config.compression_level > 3) {
    return absl::InvalidArgumentError(
        fmt::format("compression_level must be from 0 to 3, not {}",
                    config.compression_level));
  }
  return absl::OkStatus();
}

// gRPC itself only says of these files that it cannot listen.
absl::Status CheckPair(const GrpcServerConfig& config) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
      SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  const auto error = [](const std::string& path, const char* what) {
    char reason[256];
    ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
    return absl::InvalidArgumentError(
        fmt::format("{}: {}: {}", path, what, reason));
  };
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context.get(),
                                         config.tls_certificate.c_str()) != 1) {
    return error(config.tls_certificate, "no certificate in PEM");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), config.tls_key.c_str(),
                                  SSL_FILETYPE_PEM) != 1) {
    return error(config.tls_key,
                 "no key in PEM that belongs to the certificate");
  }
  if (!config.tls_client_root.empty() &&
      SSL_CTX_load_verify_locations(
          context.get(), config.tls_client_root.c_str(), nullptr) != 1) {
    return error(config.tls_client_root, "no certificates in PEM");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(
    const GrpcServerConfig& config) {
  const bool has_certificate = !config.tls_certificate.empty();
  if (has_certificate == config.tls_key.empty() ||
      (!has_certificate && !config.tls_client_root.empty())) {
    return absl::InvalidArgumentError(
        "TLS needs a certificate and its key, both");
  }
  if (!has_certificate) return grpc::InsecureServerCredentials();
  RETURN_IF_ERROR(CheckPair(config));
  grpc::SslServerCredentialsOptions options;
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  ASSIGN_OR_RETURN(pair.cert_chain,
                   ReadFile(config.tls_certificate, kMaxPemBytes));
  ASSIGN_OR_RETURN(pair.private_key, ReadFile(config.tls_key, kMaxPemBytes));
  options.pem_key_cert_pairs.push_back(std::move(pair));
  if (!config.tls_client_root.empty()) {
    ASSIGN_OR_RETURN(options.pem_root_certs,
                     ReadFile(config.tls_client_root, kMaxPemBytes));
    options.client_certificate_request =
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return grpc::SslServerCredentials(options);
}

void SetLimits(const GrpcServerConfig& config, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(config.max_message_bytes));
  grpc::ResourceQuota quota("grpc_server");
  quota.Resize(config.max_buffered_bytes);
  builder.SetResourceQuota(quota);
  const auto set = [&](const char* name, int value) {
    builder.AddChannelArgument(name, value);
  };
  const GrpcKeepalive& alive = config.keepalive;
  set(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port is an error
  set(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS, config.max_concurrent_streams);
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  set(GRPC_ARG_KEEPALIVE_TIME_MS, alive.time_ms);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, alive.timeout_ms);
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, alive.permit_without_calls);
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, alive.max_pings_without_data);
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      alive.min_recv_ping_interval_without_data_ms);
  set(GRPC_ARG_HTTP2_MAX_PING_STRIKES, alive.max_ping_strikes);
  if (alive.max_connection_age_ms > 0) {
    set(GRPC_ARG_MAX_CONNECTION_AGE_MS, alive.max_connection_age_ms);
  }
  if (alive.max_connection_age_grace_ms > 0) {
    set(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
        alive.max_connection_age_grace_ms);
  }
  if (config.compression_level > 0) {
    builder.SetDefaultCompressionLevel(
        static_cast<grpc_compression_level>(config.compression_level));
  }
  // Of reflection, the only service that uses such threads.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
}

}  // namespace

struct GrpcServer::Impl {
  explicit Impl(const GrpcServerConfig& server_config)
      : config(server_config) {}

  void WatchReadiness() ABSL_LOCKS_EXCLUDED(mutex) {
    const MutexLock lock(&mutex);
    do {
      SetServing(!config.ready || config.ready().ok());
    } while (!mutex.AwaitFor(this, &Impl::stopping, kHealthPeriodUs));
    SetServing(false);
  }

  void SetServing(bool serving) const {
    auto* health = server->GetHealthCheckService();
    health->SetServingStatus("", serving);
    if (!config.health_service.empty()) {
      health->SetServingStatus(config.health_service, serving);
    }
  }

  bool stopping() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return is_stopping;
  }

  const GrpcServerConfig config;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  Mutex mutex;
  bool is_stopping ABSL_GUARDED_BY(mutex) = false;
  std::thread watcher;
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const GrpcServerConfig& config, grpc::Service& service) {
  RETURN_IF_ERROR(CheckNumbers(config));
  ASSIGN_OR_RETURN(const std::string host, HostAndPort(config));
  ASSIGN_OR_RETURN(const auto credentials, Credentials(config));
  PrepareGrpc();
  auto impl = std::make_unique<Impl>(config);
  grpc::ServerBuilder builder;
  SetLimits(config, builder);
  builder.AddListeningPort(host, credentials, &impl->port);
  builder.RegisterService(&service);
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr) {
    return absl::AlreadyExistsError(fmt::format(
        "cannot listen on {}; choose another port or address", host));
  }
  impl->watcher = std::thread(&Impl::WatchReadiness, impl.get());
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() { Stop(0); }

int GrpcServer::port() const { return impl_->port; }

void GrpcServer::Stop(int deadline_ms) {
  {
    const MutexLock lock(&impl_->mutex);
    if (std::exchange(impl_->is_stopping, true)) return;
  }
  impl_->watcher.join();
  if (impl_->config.on_stop) impl_->config.on_stop();
  impl_->server->Shutdown(std::chrono::system_clock::now() +
                          std::chrono::milliseconds(deadline_ms));
  impl_->server->Wait();
}

}  // namespace quaver
