// See http_session.h.
#include "quaver/net/internal/http_session.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include "quaver/base/clock.h"
#include "quaver/base/log.h"
#include "quaver/net/http_wire.h"
#include "quaver/net/url.h"

namespace quaver {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kReadBytes = 64 << 10;  // one read, and the buffer's growth
// A connection closed on a client that still sends would reset what the client
// has not read yet, so what it sends is dropped for this long.
constexpr int kLingerMs = 1'000;

}  // namespace

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

HttpResponse Shared::Refused(int status, std::string_view message,
                             std::string_view field) const {
  if (config.on_refused) config.on_refused(status);
  if (!config.write_error) return ErrorResponse(status, message, field);
  HttpResponse response = config.write_error(status, message, field);
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

Session::Session(Shared& shared, tcp::socket socket)
    : shared_(shared),
      socket_(std::move(socket)),
      timer_(socket_.get_executor()) {
  if (shared.tls) tls_.emplace(socket_, *shared.tls);
  error_code error;
  socket_.set_option(tcp::no_delay(true), error);
  socket_.non_blocking(true, error);
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

template <typename Buffers, typename Handler>
void Session::AsyncRead(const Buffers& buffers, Handler handler) {
  if (tls_) return tls_->async_read_some(buffers, std::move(handler));
  socket_.async_read_some(buffers, std::move(handler));
}

template <typename Buffers, typename Handler>
void Session::AsyncWrite(const Buffers& buffers, Handler handler) {
  if (tls_) return asio::async_write(*tls_, buffers, std::move(handler));
  asio::async_write(socket_, buffers, std::move(handler));
}

void Session::At(SteadyTime deadline, void (Session::*action)()) {
  action_ = action;
  action_time_ = deadline;
  if (deadline < timer_end_) ArmTimer();
}

void Session::ArmTimer() {
  timer_end_ = action_time_;
  timer_.expires_at(timer_end_);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->OnTimer();
  });
}

void Session::OnTimer() {
  timer_end_ = SteadyTime::max();
  if (action_ == nullptr) return;
  if (std::chrono::steady_clock::now() < action_time_) return ArmTimer();
  (this->*std::exchange(action_, nullptr))();
}

void Session::OnStop() {
  if (phase_ == Phase::kIdle || phase_ == Phase::kHandshake) Close();
}

void Session::Begin() {
  if (phase_ == Phase::kClosed) return;
  if (!tls_) return AwaitRequest();
  CloseAfter(shared_.config.read_timeout_ms);
  tls_->async_handshake(asio::ssl::stream_base::server,
                        [self = shared_from_this()](error_code error) {
                          self->action_ = nullptr;
                          if (error || self->phase_ == Phase::kClosed) {
                            return self->Close();
                          }
                          self->AwaitRequest();
                        });
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

void Session::Read(SteadyTime deadline) {
  timed_out_ = false;
  At(deadline, &Session::OnTimeout);
  if (!reading_) ReadAhead();
}

void Session::ReadAhead() {
  reading_ = true;
  AsyncRead(buffer_.prepare(kReadBytes),
            [self = shared_from_this()](error_code error, size_t num_bytes) {
              self->reading_ = false;
              self->OnRead(error, num_bytes);
            });
}

// Cancels the read instead of closing the socket, so that a slow client can be
// told.
void Session::OnTimeout() {
  timed_out_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void Session::OnRead(error_code error, size_t num_bytes) {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kLinger) return error ? Close() : Read(deadline_);
  if (!error) buffer_.commit(num_bytes);
  if (phase_ == Phase::kHandler || phase_ == Phase::kWrite) {
    if (error) *gone_ = true;
    return;
  }
  action_ = nullptr;
  if (!error) {
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
  if (error == asio::error::eof ||
      error == asio::ssl::error::stream_truncated) {
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
    if (phase_ == Phase::kBody && !ReserveBody()) return;
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
  if (auto refusal = Refusal(request_, static_cast<int>(message.version()),
                             shared_.config.coded_bodies)) {
    Refuse(refusal->status, refusal->message, refusal->field);
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

// Memory for an announced length is taken with the header, for chunks as they
// come.
bool Session::ReserveBody() {
  const size_t num_bytes = parser_->chunked()
                               ? parser_->get().body().size()
                               : parser_->content_length().value_or(0);
  const size_t more = num_bytes - std::exchange(reserved_bytes_, num_bytes);
  if (more == 0) return true;
  const size_t before = shared_.buffered_bytes.fetch_add(more);
  if (before + more <= shared_.config.max_buffered_bytes) return true;
  Refuse(503, "too many large bodies at once: try again");
  return false;
}

void Session::ReleaseBody() {
  shared_.buffered_bytes -= std::exchange(reserved_bytes_, 0);
}

void Session::SendContinue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  CloseAfter(shared_.config.read_timeout_ms);
  AsyncWrite(asio::buffer(kContinue),
             [self = shared_from_this()](error_code error, size_t) {
               self->action_ = nullptr;
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
  gone_ = std::make_shared<std::atomic<bool>>(false);
  request_.gone = gone_;
  if (shared_.threads.TryHandle(shared_from_this())) {
    // The next request, or that the client leaves. Not behind what was read
    // already.
    if (buffer_.size() == 0) ReadAhead();
    return;
  }
  Respond(shared_.Refused(503, "too many requests at once: try again"));
}

// The thread counts as free before the client can ask again.
void Session::Handle() {
  std::optional<HttpResponse> response;
  {
    const absl::Cleanup handled = [this] { shared_.threads.Handled(); };
    if (!shared_.dropping) response = CallHandler();
  }
  if (!response) return;
  asio::dispatch(
      socket_.get_executor(),
      [self = shared_from_this(), response = *std::move(response)]() mutable {
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
  return shared_.Refused(500, "this request failed inside the server");
}

void Session::Refuse(int status, std::string_view message,
                     std::string_view field) {
  keep_alive_ = false;
  Respond(shared_.Refused(status, message, field));
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

  Write();
}

// Most answers fit into the socket's buffer: they are written at once.
void Session::Write() {
  std::array<asio::const_buffer, 2> buffers = {asio::buffer(head_),
                                               asio::buffer(body_)};
  if (!tls_) {
    error_code error;
    size_t written = socket_.write_some(buffers, error);
    if (written == asio::buffer_size(buffers)) return OnWritten({});
    if (error && error != asio::error::would_block) return OnWritten(error);
    for (asio::const_buffer& buffer : buffers) {
      const size_t num_bytes = std::min(written, buffer.size());
      buffer += num_bytes;
      written -= num_bytes;
    }
  }
  CloseAfter(shared_.config.transfer_timeout_ms);
  AsyncWrite(buffers, [self = shared_from_this()](error_code error, size_t) {
    self->OnWritten(error);
  });
}

// For writing: who does not take the answer cannot be told either.
void Session::CloseAfter(int milliseconds) {
  At(After(milliseconds), &Session::Close);
}

void Session::OnWritten(error_code error) {
  action_ = nullptr;
  if (error || phase_ == Phase::kClosed) return Close();
  body_ = {};
  if (keep_alive_) return AwaitRequest();
  if (tls_) return SayGoodbye();
  const bool all_read = parser_->is_done() && buffer_.size() == 0;
  return all_read ? Close() : Linger();
}

// Without it a client cannot tell the answer's end from an attack.
void Session::SayGoodbye() {
  phase_ = Phase::kLinger;
  deadline_ = After(kLingerMs);  // of what is still read ahead
  CloseAfter(kLingerMs);
  tls_->async_shutdown(
      [self = shared_from_this()](error_code) { self->Close(); });
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
  if (phase_ == Phase::kHandler) *gone_ = true;
  phase_ = Phase::kClosed;
  action_ = nullptr;
  timer_.cancel();
  error_code error;
  socket_.close(error);
}

}  // namespace quaver
