// See http_threads.h.
#include "quaver/net/internal/http_threads.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>

#include "quaver/base/log.h"
#include "quaver/net/internal/http_session.h"

namespace quaver {
namespace {

namespace asio = boost::asio;

// Set by the operation that ends the thread which runs it. Nothing that the
// thread has deferred is left behind then, as it would be after any other.
thread_local bool this_thread_ends = false;

}  // namespace

HttpThreads::HttpThreads(const HttpServerConfig& config, asio::io_context& io)
    : config_(config),
      io_(io),
      trim_timer_(io),
      num_handlers_(config.handler_threads),
      max_handlers_(config.max_handler_threads) {}

HttpThreads::~HttpThreads() { Stop(); }

absl::Status HttpThreads::Start() {
  const int num_threads = config_.io_threads + config_.handler_threads;
  const MutexLock lock(&mutex_);
  for (int i = 0; i < num_threads; ++i) {
    if (!StartThread()) {
      return absl::ResourceExhaustedError(fmt::format(
          "the system gives only {} of {} threads", i, num_threads));
    }
  }
  return absl::OkStatus();
}

bool HttpThreads::TryHandle(const std::shared_ptr<Session>& session) {
  {
    const MutexLock lock(&mutex_);
    if (num_handling_ == num_handlers_ && !StartHandler()) {
      if (waiting_.size() >= static_cast<size_t>(config_.max_queue)) {
        return false;
      }
      waiting_.push_back(session);
      return true;
    }
    ++num_handling_;
    most_handling_ = std::max(most_handling_, num_handling_);
  }
  // By this thread, once it has left the strand.
  asio::defer(io_, [session] { session->Handle(); });
  return true;
}

void HttpThreads::Handled() {
  std::shared_ptr<Session> next;
  {
    const MutexLock lock(&mutex_);
    if (waiting_.empty()) {
      --num_handling_;
      return;
    }
    next = std::move(waiting_.front());
    waiting_.pop_front();
  }
  asio::post(io_, [session = std::move(next)] { session->Handle(); });
}

void HttpThreads::AwaitHandlers() {
  const MutexLock lock(&mutex_);
  mutex_.Await(this, &HttpThreads::NoHandlers);
}

// A thread that is joined here may have started another one.
void HttpThreads::Stop() {
  io_.stop();
  while (true) {
    std::thread thread;
    {
      const MutexLock lock(&mutex_);
      if (threads_.empty() && !left_.joinable()) return;
      if (threads_.empty()) {
        thread = std::move(left_);
      } else {
        thread = std::move(threads_.begin()->second);
        threads_.erase(threads_.begin());
      }
    }
    thread.join();
  }
}

void HttpThreads::Run() {
  while (!this_thread_ends) {
    try {
      if (io_.run_one() == 0) return;
    } catch (const std::exception& exception) {  // out of memory
      LogError("a connection was dropped: {}", exception.what());
    }
  }
  Leave();
}

void HttpThreads::Leave() {
  std::thread before;
  {
    const MutexLock lock(&mutex_);
    const auto self = threads_.find(std::this_thread::get_id());
    if (self == threads_.end()) return;  // Stop joins it
    before = std::exchange(left_, std::move(self->second));
    threads_.erase(self);
  }
  if (before.joinable()) before.join();
}

bool HttpThreads::StartThread() {
  try {
    std::thread thread([this] { Run(); });
    const std::thread::id id = thread.get_id();
    threads_.emplace(id, std::move(thread));
    return true;
  } catch (const std::system_error& error) {
    LogWarning("no further thread for HTTP than {}: {}", threads_.size(),
               error.what());
    return false;
  }
}

// What the system refuses is asked for again after the next Trim only.
bool HttpThreads::StartHandler() {
  if (num_handlers_ >= max_handlers_) return false;
  if (!std::exchange(trimming_, true)) AwaitTrim();
  if (StartThread()) {
    ++num_handlers_;
    return true;
  }
  max_handlers_ = num_handlers_;
  return false;
}

void HttpThreads::AwaitTrim() {
  trim_timer_.expires_after(std::chrono::milliseconds(config_.thread_idle_ms));
  trim_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) Trim();
  });
}

void HttpThreads::Trim() {
  int num_surplus = 0;
  bool again = false;
  {
    const MutexLock lock(&mutex_);
    num_surplus =
        num_handlers_ - std::max(config_.handler_threads, most_handling_);
    num_handlers_ -= num_surplus;
    max_handlers_ = config_.max_handler_threads;
    most_handling_ = num_handling_;
    trimming_ = again = num_handlers_ > config_.handler_threads;
  }
  for (int i = 0; i < num_surplus; ++i) {
    asio::post(io_, [] { this_thread_ends = true; });
  }
  if (again) AwaitTrim();
}

}  // namespace quaver
