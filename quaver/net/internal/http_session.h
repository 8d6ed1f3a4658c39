// One connection of the server: reads a request, has it handled, writes the
// answer, until either side is done. For http_server.cc.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "quaver/base/mutex.h"
#include "quaver/net/http_server.h"
#include "quaver/net/internal/http_threads.h"

namespace quaver {

using SteadyTime = std::chrono::steady_clock::time_point;

inline SteadyTime After(int milliseconds) {
  return std::chrono::steady_clock::now() +
         std::chrono::milliseconds(milliseconds);
}

class Session;

// What the sessions share. Destroyed bottom up: the threads, the context with
// the sessions that its pending operations own, then what those refer to.
struct Shared {
  Shared(HttpServerConfig server_config, HttpHandler server_handler)
      : config(std::move(server_config)),
        handler(std::move(server_handler)),
        io(config.io_threads + config.handler_threads) {}

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

  // Null: no TLS. Set before the first session.
  std::unique_ptr<boost::asio::ssl::context> tls;
  boost::asio::io_context io;
  HttpThreads threads{config, io};

  bool NoSessions() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return sessions.empty();
  }
  void Add(const std::shared_ptr<Session>& session);
  void Remove(Session* session);
  // The answer to a request that no handler answers; counts it.
  HttpResponse Refused(int status, std::string_view message,
                       std::string_view field = "") const;
};

// One connection. Everything but Handle() runs on its strand, and every
// pending operation owns the session, so it goes when nothing is pending.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Shared& shared, boost::asio::ip::tcp::socket socket);
  ~Session();

  void Start() { Post(&Session::Begin); }
  void CloseIfIdle() { Post(&Session::OnStop); }
  void Drop() { Post(&Session::Close); }
  // Outside of the strand, which stays free to see the client leave.
  void Handle();

 private:
  enum class Phase {
    kHandshake,
    kIdle,
    kHeader,
    kBody,
    kHandler,
    kWrite,
    kLinger,
    kClosed
  };
  using Parser =
      boost::beast::http::request_parser<boost::beast::http::string_body>;

  void Post(void (Session::*method)());
  // Through TLS where there is any.
  template <typename Buffers, typename Handler>
  void AsyncRead(const Buffers& buffers, Handler handler);
  template <typename Buffers, typename Handler>
  void AsyncWrite(const Buffers& buffers, Handler handler);
  // One action at a time, which the next takes the place of.
  void At(SteadyTime deadline, void (Session::*action)());
  void ArmTimer();
  void OnTimer();
  void OnStop();
  void Begin();
  void AwaitRequest();
  void Read(SteadyTime deadline);
  void ReadAhead();
  void OnTimeout();
  void OnRead(boost::system::error_code error, size_t num_bytes);
  void Parse();
  void OnParseError(boost::system::error_code error);
  bool AcceptHeader();
  bool ReserveBody();
  void ReleaseBody();
  void SendContinue();
  void Dispatch();
  HttpResponse CallHandler();
  void Refuse(int status, std::string_view message,
              std::string_view field = "");
  void Respond(HttpResponse response);
  void Write();
  void CloseAfter(int milliseconds);
  void OnWritten(boost::system::error_code error);
  void Linger();
  void SayGoodbye();
  void Close();

  Shared& shared_;
  boost::asio::ip::tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  std::string remote_;

  // A deadline that moves away leaves the timer as it is: nearly every request
  // is done long before, and a timer that is set and cancelled wakes threads.
  boost::asio::steady_timer timer_;
  SteadyTime timer_end_ = SteadyTime::max();  // max: it is not armed
  SteadyTime action_time_;
  void (Session::*action_)() = nullptr;
  bool timed_out_ = false;

  Phase phase_ = Phase::kHandshake;
  boost::beast::flat_buffer buffer_;
  bool reading_ = false;  // into buffer_'s end
  std::optional<Parser> parser_;
  SteadyTime deadline_;  // of the header, the body or the lingering
  bool keep_alive_ = false;
  size_t reserved_bytes_ = 0;
  HttpRequest request_;  // the handler thread's while in kHandler
  std::shared_ptr<std::atomic<bool>> gone_;  // the request's
  std::string head_;
  std::string body_;
};

}  // namespace quaver
