// See http_server.h. With internal/http_*.* all that knows Boost.
#include "quaver/net/http_server.h"

#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include "quaver/base/workers.h"
#include "quaver/net/internal/http_session.h"

namespace quaver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kAcceptRetryMs = 100;  // after running out of descriptors

absl::Status CheckConfig(const HttpServerConfig& config) {
  const auto positive = [](const char* name, int64_t value) {
    if (value > 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        fmt::format("{} must be greater than 0, not {}", name, value));
  };
  if (config.port < 0 || config.port > 65535) {
    return absl::InvalidArgumentError(
        fmt::format("port must be from 0 to 65535, not {}", config.port));
  }
  RETURN_IF_ERROR(positive("io_threads", config.io_threads));
  RETURN_IF_ERROR(positive("handler_threads", config.handler_threads));
  if (config.max_handler_threads < config.handler_threads) {
    return absl::InvalidArgumentError(
        fmt::format("max_handler_threads must be at least {}, not {}",
                    config.handler_threads, config.max_handler_threads));
  }
  RETURN_IF_ERROR(positive("thread_idle_ms", config.thread_idle_ms));
  RETURN_IF_ERROR(positive("max_connections", config.max_connections));
  RETURN_IF_ERROR(positive("read_timeout_ms", config.read_timeout_ms));
  RETURN_IF_ERROR(positive("transfer_timeout_ms", config.transfer_timeout_ms));
  return positive("idle_timeout_ms", config.idle_timeout_ms);
}

absl::Status ListenStatus(const HttpServerConfig& config, error_code error) {
  const std::string message =
      fmt::format("cannot listen on {} port {}: {}", config.address,
                  config.port, error.message());
  if (error == asio::error::address_in_use) {
    return absl::AlreadyExistsError(message + "; choose another port");
  }
  if (error == asio::error::access_denied) {
    return absl::PermissionDeniedError(message + "; choose a port above 1023");
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace

struct HttpServer::Impl {
  Impl(const HttpServerConfig& config, HttpHandler handler)
      : shared(config, std::move(handler)),
        acceptor(asio::make_strand(shared.io)),
        accept_timer(acceptor.get_executor()) {
    shared.resume_accept = [this] {
      asio::post(acceptor.get_executor(), [this] { Accept(); });
    };
  }

  absl::Status LoadTls();
  absl::Status Listen();
  void Accept();
  void OnAccept(error_code error, tcp::socket socket);
  void Stop(int deadline_ms);
  template <typename Call>
  void ForEachSession(const Call& call);

  Shared shared;
  // While handlers run and nothing is accepted, no operation is pending.
  asio::executor_work_guard<asio::io_context::executor_type> keep_running{
      shared.io.get_executor()};
  tcp::acceptor acceptor;
  asio::steady_timer accept_timer;
  int port = 0;
  bool stopped = false;
};

absl::Status HttpServer::Impl::LoadTls() {
  const HttpServerConfig& config = shared.config;
  if (config.tls_certificate.empty() && config.tls_key.empty()) {
    return absl::OkStatus();
  }
  if (config.tls_certificate.empty() || config.tls_key.empty()) {
    return absl::InvalidArgumentError(
        "TLS needs both a certificate and its key");
  }
  auto context =
      std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  context->set_options(asio::ssl::context::default_workarounds |
                           asio::ssl::context::no_tlsv1 |
                           asio::ssl::context::no_tlsv1_1,
                       error);
  context->use_certificate_chain_file(config.tls_certificate, error);
  if (error) {
    return absl::InvalidArgumentError(
        fmt::format("{}: no certificate in PEM: {}", config.tls_certificate,
                    error.message()));
  }
  context->use_private_key_file(config.tls_key, asio::ssl::context::pem, error);
  if (error) {
    return absl::InvalidArgumentError(
        fmt::format("{}: no key in PEM that belongs to {}: {}", config.tls_key,
                    config.tls_certificate, error.message()));
  }
  shared.tls = std::move(context);
  return absl::OkStatus();
}

absl::Status HttpServer::Impl::Listen() {
  const HttpServerConfig& config = shared.config;
  error_code error;
  const auto address = asio::ip::make_address(config.address, error);
  if (error) {
    return absl::InvalidArgumentError(
        fmt::format("the address \"{}\" is no IP address: write it in numbers",
                    config.address));
  }
  const tcp::endpoint endpoint(address, static_cast<uint16_t>(config.port));
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return ListenStatus(config, error);
  port = acceptor.local_endpoint(error).port();
  return absl::OkStatus();
}

// At the limit nothing is accepted until a session ends: clients wait in the
// system's queue.
void HttpServer::Impl::Accept() {
  {
    const MutexLock lock(&shared.mutex);
    if (shared.sessions.size() >=
        static_cast<size_t>(shared.config.max_connections)) {
      shared.accept_is_paused = true;
      return;
    }
  }
  acceptor.async_accept(asio::make_strand(shared.io),
                        [this](error_code error, tcp::socket socket) {
                          OnAccept(error, std::move(socket));
                        });
}

void HttpServer::Impl::OnAccept(error_code error, tcp::socket socket) {
  if (!acceptor.is_open()) return;
  if (error) {
    accept_timer.expires_at(After(kAcceptRetryMs));
    accept_timer.async_wait([this](error_code cancelled) {
      if (!cancelled) Accept();
    });
    return;
  }
  const auto session = std::make_shared<Session>(shared, std::move(socket));
  shared.Add(session);
  session->Start();
  Accept();
}

template <typename Call>
void HttpServer::Impl::ForEachSession(const Call& call) {
  std::vector<std::shared_ptr<Session>> sessions;
  {
    const MutexLock lock(&shared.mutex);
    for (const auto& [pointer, weak] : shared.sessions) {
      if (auto session = weak.lock()) sessions.push_back(std::move(session));
    }
  }
  for (const auto& session : sessions) call(*session);
}

void HttpServer::Impl::Stop(int deadline_ms) {
  if (std::exchange(stopped, true)) return;
  shared.stopping = true;
  asio::post(acceptor.get_executor(), [this] {
    error_code error;
    acceptor.close(error);
    accept_timer.cancel();
  });
  ForEachSession([](Session& session) { session.CloseIfIdle(); });
  {
    const MutexLock lock(&shared.mutex);
    shared.mutex.AwaitFor(&shared, &Shared::NoSessions,
                          int64_t{1'000} * deadline_ms);
  }
  shared.dropping = true;
  ForEachSession([](Session& session) { session.Drop(); });
  shared.threads.AwaitHandlers();
  shared.threads.Stop();
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const HttpServerConfig& config, HttpHandler handler) {
  HttpServerConfig checked = config;
  if (checked.handler_threads == 0) checked.handler_threads = AvailableCores();
  if (checked.max_handler_threads == 0) {
    checked.max_handler_threads = checked.handler_threads;
  }
  RETURN_IF_ERROR(CheckConfig(checked));
  auto impl = std::make_unique<Impl>(checked, std::move(handler));
  RETURN_IF_ERROR(impl->LoadTls());
  RETURN_IF_ERROR(impl->Listen());
  RETURN_IF_ERROR(impl->shared.threads.Start());
  impl->shared.resume_accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() { Stop(0); }

int HttpServer::port() const { return impl_->port; }

void HttpServer::Stop(int deadline_ms) { impl_->Stop(deadline_ms); }

}  // namespace quaver
