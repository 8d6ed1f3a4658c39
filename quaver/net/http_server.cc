// See http_server.h. The only file that knows Boost.
#include "quaver/net/http_server.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "quaver/base/clock.h"
#include "quaver/base/log.h"
#include "quaver/base/mutex.h"
#include "quaver/base/workers.h"
#include "quaver/net/http_wire.h"
#include "quaver/net/url.h"
#include "quaver/net/worker_pool.h"

namespace quaver {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr size_t kReadBytes = 64 << 10;  // one read, and the buffer's growth
// A connection closed on a client that still sends would reset what the client
// has not read yet, so what it sends is dropped for this long.
constexpr int kLingerMs = 1'000;
constexpr int kAcceptRetryMs = 100;  // after running out of descriptors

SteadyTime After(int milliseconds) {
  return std::chrono::steady_clock::now() +
         std::chrono::milliseconds(milliseconds);
}

class Session;

// What the sessions share. Destroyed bottom up: threads, then the context with
// the sessions that its pending operations own, then what those refer to.
struct Shared {
  Shared(HttpServerConfig server_config, HttpHandler server_handler)
      : config(std::move(server_config)),
        handler(std::move(server_handler)),
        io(config.io_threads),
        workers(config.handler_threads, config.max_queue) {}

  const HttpServerConfig config;
  const HttpHandler handler;
  std::atomic<bool> stopping{false};  // answers close their connections
  std::atomic<bool> dropping{false};  // the deadline has passed
  std::atomic<size_t> buffered_bytes{0};

  Mutex mutex;
  std::unordered_map<Session*, std::weak_ptr<Session>> sessions
      ABSL_GUARDED_BY(mutex);
  bool accept_is_paused ABSL_GUARDED_BY(mutex) = false;
  std::function<void()> resume_accept;  // set before the first session

  asio::io_context io;
  WorkerPool workers;

  bool NoSessions() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return sessions.empty();
  }
  void Add(const std::shared_ptr<Session>& session);
  void Remove(Session* session);
  void Refused(int status) const {
    if (config.on_refused) config.on_refused(status);
  }
};

// One connection. Everything but Handle() runs on its strand, and every
// pending operation owns the session, so it goes when nothing is pending.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Shared& shared, tcp::socket socket);
  ~Session();

  void Start() { Post(&Session::AwaitRequest); }
  void CloseIfIdle() { Post(&Session::OnStop); }
  void Drop() { Post(&Session::Close); }

 private:
  enum class Phase {
    kIdle,
    kHeader,
    kBody,
    kHandler,
    kWrite,
    kLinger,
    kClosed
  };
  using Parser = http::request_parser<http::string_body>;

  void Post(void (Session::*method)());
  void OnStop();
  void AwaitRequest();
  void Read(SteadyTime deadline);
  void OnRead(error_code error, size_t num_bytes);
  void Parse();
  void OnParseError(error_code error);
  bool AcceptHeader();
  bool ReserveBody();
  void ReleaseBody();
  void SendContinue();
  void Dispatch();
  void Handle();
  HttpResponse CallHandler();
  void Refuse(int status, std::string_view message);
  void Respond(HttpResponse response);
  void CloseAfter(int milliseconds);
  void OnWritten(error_code error);
  void Linger();
  void Close();

  Shared& shared_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  std::string remote_;
  uint64_t timer_id_ = 0;  // tells a late expiry from the current one
  bool timed_out_ = false;

  Phase phase_ = Phase::kIdle;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  SteadyTime deadline_;  // of the header, the body or the lingering
  bool keep_alive_ = false;
  size_t reserved_bytes_ = 0;
  HttpRequest request_;  // the handler thread's while in kHandler
  std::string head_;
  std::string body_;
};

void Shared::Add(const std::shared_ptr<Session>& session) {
  const MutexLock lock(&mutex);
  sessions.emplace(session.get(), session);
}

void Shared::Remove(Session* session) {
  bool resume = false;
  {
    const MutexLock lock(&mutex);
    sessions.erase(session);
    resume = accept_is_paused && !stopping;
    if (resume) accept_is_paused = false;
  }
  if (resume) resume_accept();
}

Session::Session(Shared& shared, tcp::socket socket)
    : shared_(shared),
      socket_(std::move(socket)),
      timer_(socket_.get_executor()) {
  error_code error;
  socket_.set_option(tcp::no_delay(true), error);
  const auto endpoint = socket_.remote_endpoint(error);
  if (!error) remote_ = endpoint.address().to_string();
}

Session::~Session() {
  ReleaseBody();
  shared_.Remove(this);
}

void Session::Post(void (Session::*method)()) {
  asio::post(socket_.get_executor(),
             [self = shared_from_this(), method] { ((*self).*method)(); });
}

void Session::OnStop() {
  if (phase_ == Phase::kIdle) Close();
}

void Session::AwaitRequest() {
  if (shared_.stopping && buffer_.size() == 0) return Close();
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(shared_.config.max_header_bytes));
  parser_->body_limit(shared_.config.max_body_bytes);
  request_ = {};
  phase_ = Phase::kIdle;
  if (buffer_.size() == 0) return Read(After(shared_.config.idle_timeout_ms));
  phase_ = Phase::kHeader;
  deadline_ = After(shared_.config.read_timeout_ms);
  Parse();
}

// The timer cancels the read instead of closing the socket, so that a slow
// client can be told.
void Session::Read(SteadyTime deadline) {
  timed_out_ = false;
  timer_.expires_at(deadline);
  timer_.async_wait(
      [self = shared_from_this(), id = ++timer_id_](error_code error) {
        if (error || id != self->timer_id_) return;
        self->timed_out_ = true;
        self->socket_.cancel(error);
      });
  socket_.async_read_some(
      buffer_.prepare(kReadBytes),
      [self = shared_from_this()](error_code error, size_t num_bytes) {
        ++self->timer_id_;
        self->timer_.cancel();
        self->OnRead(error, num_bytes);
      });
}

void Session::OnRead(error_code error, size_t num_bytes) {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kLinger) return error ? Close() : Read(deadline_);
  if (!error) {
    buffer_.commit(num_bytes);
    if (phase_ == Phase::kIdle) {
      phase_ = Phase::kHeader;
      deadline_ = After(shared_.config.read_timeout_ms);
    }
    return Parse();
  }
  if (phase_ == Phase::kIdle) return Close();
  if (timed_out_) {
    return Refuse(408, "the request did not arrive in time");
  }
  if (error == asio::error::eof) {
    return Refuse(400, "the request ended before it was complete");
  }
  Close();
}

void Session::Parse() {
  while (buffer_.size() > 0 || parser_->is_done()) {
    if (parser_->is_done()) return Dispatch();
    error_code error;
    buffer_.consume(parser_->put(buffer_.data(), error));
    if (error == http::error::need_more) break;
    if (error) return OnParseError(error);
    if (phase_ == Phase::kHeader && parser_->is_header_done() &&
        !AcceptHeader()) {
      return;
    }
  }
  // Only a chunk's header can be this long and not have been parsed.
  if (buffer_.size() > shared_.config.max_header_bytes) {
    return Refuse(400, "the header of a chunk is too long");
  }
  const SteadyTime stalled = After(shared_.config.read_timeout_ms);
  Read(phase_ == Phase::kHeader ? deadline_ : std::min(deadline_, stalled));
}

void Session::OnParseError(error_code error) {
  const HttpServerConfig& config = shared_.config;
  if (error == http::error::header_limit) {
    Refuse(431, fmt::format("a request's header is at most {} bytes",
                            config.max_header_bytes));
  } else if (error == http::error::body_limit) {
    Refuse(413, fmt::format("a body is at most {} bytes: send it in parts",
                            config.max_body_bytes));
  } else {
    Refuse(400,
           fmt::format("this is no HTTP/1.1 request: {}", error.message()));
  }
}

// False when the session has gone on to something else than the body.
bool Session::AcceptHeader() {
  const auto& message = parser_->get();
  request_.method = std::string(message.method_string());
  request_.remote = remote_;
  for (const auto& field : message) {
    request_.headers.emplace_back(ToLower(std::string(field.name_string())),
                                  std::string(field.value()));
  }
  phase_ = Phase::kBody;
  deadline_ = After(shared_.config.transfer_timeout_ms);
  if (auto refusal = Refusal(request_, static_cast<int>(message.version()))) {
    shared_.Refused(refusal->status);
    keep_alive_ = false;
    Respond(*std::move(refusal));
    return false;
  }
  auto target = ParseTarget(std::string(message.target()));
  if (!target.ok()) {
    Refuse(400, Message(target.status()));
    return false;
  }
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  if (!ReserveBody()) return false;
  if (!parser_->is_done() && buffer_.size() == 0 &&
      !request_.header("expect").empty()) {
    SendContinue();
    return false;
  }
  return true;
}

bool Session::ReserveBody() {
  const auto length = parser_->content_length();
  const size_t num_bytes = parser_->chunked() ? shared_.config.max_body_bytes
                           : length           ? *length
                                              : 0;
  reserved_bytes_ = num_bytes;
  const size_t before = shared_.buffered_bytes.fetch_add(num_bytes);
  if (num_bytes == 0 ||
      before + num_bytes <= shared_.config.max_buffered_bytes) {
    return true;
  }
  Refuse(503, "too many large bodies at once: try again");
  return false;
}

void Session::ReleaseBody() {
  shared_.buffered_bytes -= std::exchange(reserved_bytes_, 0);
}

void Session::SendContinue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  CloseAfter(shared_.config.read_timeout_ms);
  asio::async_write(socket_, asio::buffer(kContinue),
                    [self = shared_from_this()](error_code error, size_t) {
                      if (error || self->phase_ == Phase::kClosed) {
                        return self->Close();
                      }
                      self->Parse();
                    });
}

void Session::Dispatch() {
  phase_ = Phase::kHandler;
  keep_alive_ = parser_->keep_alive();
  request_.body = std::move(parser_->get().body());
  request_.received_us = Clock::Real().NowUs();
  const bool posted =
      shared_.workers.TryPost([self = shared_from_this()] { self->Handle(); });
  if (posted) return;
  shared_.Refused(503);
  Respond(ErrorResponse(503, "too many requests at once: try again"));
}

// On a handler thread.
void Session::Handle() {
  if (shared_.dropping) return;
  asio::post(socket_.get_executor(),
             [self = shared_from_this(), response = CallHandler()]() mutable {
               self->Respond(std::move(response));
             });
}

HttpResponse Session::CallHandler() {
  std::string reason = "an unknown exception";
  try {
    return shared_.handler(request_);
  } catch (const std::exception& exception) {
    reason = exception.what();
  } catch (...) {
  }
  LogError("{} {} threw: {}", request_.method, request_.path, reason);
  shared_.Refused(500);
  return ErrorResponse(500, "this request failed inside the server");
}

void Session::Refuse(int status, std::string_view message) {
  shared_.Refused(status);
  keep_alive_ = false;
  Respond(ErrorResponse(status, message));
}

void Session::Respond(HttpResponse response) {
  ReleaseBody();
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kWrite;
  if (shared_.stopping) keep_alive_ = false;
  const bool is_http_10 =
      parser_->is_header_done() && parser_->get().version() == 10;
  head_ = ResponseHead(
      response, {.version = is_http_10 ? 10 : 11, .keep_alive = keep_alive_});
  const bool has_body = request_.method != "HEAD" && response.status != 204 &&
                        response.status != 304;
  body_ = has_body ? std::move(response.body) : std::string();

  CloseAfter(shared_.config.transfer_timeout_ms);
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head_),
                                                     asio::buffer(body_)};
  asio::async_write(socket_, buffers,
                    [self = shared_from_this()](error_code error, size_t) {
                      self->OnWritten(error);
                    });
}

// For writing: who does not take the answer cannot be told either.
void Session::CloseAfter(int milliseconds) {
  timer_.expires_at(After(milliseconds));
  timer_.async_wait(
      [self = shared_from_this(), id = ++timer_id_](error_code error) {
        if (!error && id == self->timer_id_) self->Close();
      });
}

void Session::OnWritten(error_code error) {
  ++timer_id_;
  timer_.cancel();
  if (error || phase_ == Phase::kClosed) return Close();
  body_ = {};
  if (keep_alive_) return AwaitRequest();
  const bool all_read = parser_->is_done() && buffer_.size() == 0;
  return all_read ? Close() : Linger();
}

void Session::Linger() {
  error_code error;
  socket_.shutdown(tcp::socket::shutdown_send, error);
  buffer_.clear();
  phase_ = Phase::kLinger;
  deadline_ = After(kLingerMs);
  Read(deadline_);
}

void Session::Close() {
  phase_ = Phase::kClosed;
  ++timer_id_;
  timer_.cancel();
  error_code error;
  socket_.close(error);
}

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

  absl::Status Listen();
  void Accept();
  void OnAccept(error_code error, tcp::socket socket);
  void RunIo();
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
  std::vector<std::thread> io_threads;
};

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

void HttpServer::Impl::RunIo() {
  while (true) {
    try {
      shared.io.run();
      return;
    } catch (const std::exception& exception) {  // out of memory
      LogError("a connection was dropped: {}", exception.what());
    }
  }
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
  shared.workers.Stop();
  shared.io.stop();
  for (std::thread& thread : io_threads) thread.join();
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const HttpServerConfig& config, HttpHandler handler) {
  HttpServerConfig checked = config;
  if (checked.handler_threads == 0) checked.handler_threads = AvailableCores();
  RETURN_IF_ERROR(CheckConfig(checked));
  auto impl = std::make_unique<Impl>(checked, std::move(handler));
  RETURN_IF_ERROR(impl->Listen());
  impl->Accept();
  for (int i = 0; i < checked.io_threads; ++i) {
    impl->io_threads.emplace_back([raw = impl.get()] { raw->RunIo(); });
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() { Stop(0); }

int HttpServer::port() const { return impl_->port; }

void HttpServer::Stop(int deadline_ms) { impl_->Stop(deadline_ms); }

}  // namespace quaver
