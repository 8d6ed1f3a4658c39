// The threads of an HTTP server, and which of them handle requests.
#pragma once

#include <deque>
#include <memory>
#include <thread>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/net/http_server.h"

namespace quaver {

class Session;

// Every thread runs the context, so it reads, parses and writes, and turns into
// a handler thread for a request that it has read (leader and followers): a
// request wakes one thread. There are io_threads more of them than may handle
// at once, so that some always serve the sockets.
//
// When all that may handle do, the next request starts one more, up to
// max_handler_threads. What was not needed for thread_idle_ms, and at most
// twice as long, ends. Thread-safe.
class HttpThreads {
 public:
  // Both outlive it.
  HttpThreads(const HttpServerConfig& config, boost::asio::io_context& io);
  ~HttpThreads();  // Stop

  // ResourceExhausted when the system gives too few threads.
  absl::Status Start() ABSL_LOCKS_EXCLUDED(mutex_);

  // Has the session's request handled: at once where a thread is free or can
  // be started, else in the order of the calls. False when max_queue requests
  // wait already. From a thread of the context.
  bool TryHandle(const std::shared_ptr<Session>& session)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A handler is done: its thread is the next one's.
  void Handled() ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns when no handler runs.
  void AwaitHandlers() ABSL_LOCKS_EXCLUDED(mutex_);
  // Stops the context, and returns when all threads have ended.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_);
  bool StartThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool StartHandler() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AwaitTrim();
  void Trim() ABSL_LOCKS_EXCLUDED(mutex_);
  bool NoHandlers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return num_handling_ == 0;
  }

  const HttpServerConfig& config_;
  boost::asio::io_context& io_;
  boost::asio::steady_timer trim_timer_;  // who sets trimming_ has it

  Mutex mutex_;
  int num_handlers_ ABSL_GUARDED_BY(mutex_);  // that may handle at once
  int max_handlers_ ABSL_GUARDED_BY(mutex_);
  int num_handling_ ABSL_GUARDED_BY(mutex_) = 0;
  int most_handling_ ABSL_GUARDED_BY(mutex_) = 0;  // since the last Trim
  bool trimming_ ABSL_GUARDED_BY(mutex_) = false;  // a Trim comes
  // For them no handler thread is free.
  std::deque<std::shared_ptr<Session>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::thread::id, std::thread> threads_
      ABSL_GUARDED_BY(mutex_);
  // The last that left; the next one that leaves joins it.
  std::thread left_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
