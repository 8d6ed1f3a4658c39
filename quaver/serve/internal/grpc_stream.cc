// See grpc_stream.h.
#include "quaver/serve/internal/grpc_stream.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "quaver/base/clock.h"
#include "quaver/serve/internal/grpc_message.h"

namespace quaver {
namespace {

constexpr char kErrorsAsStatus[] = "triton_grpc_error";

bool WantsErrorsAsStatus(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find(kErrorsAsStatus);
  return found != context.client_metadata().end() && found->second == "true";
}

}  // namespace

// Reactions come from gRPC's threads, answers from those of GrpcWork. Finish is
// called once, when no message is being worked on or written, so that nothing
// refers to this when gRPC is done with it.
class GrpcStream
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  GrpcStream(GrpcStreams& streams, grpc::CallbackServerContext& context,
             const std::string& path, const GrpcMethod& method, GrpcWork& work)
      : streams_(streams),
        path_(path),
        method_(method),
        work_(work),
        deadline_us_(DeadlineUs(context)),
        errors_as_status_(WantsErrorsAsStatus(context)) {}

  void Begin() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    Advance();
  }

  // Once what was asked is answered; the first reason stays.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    EndWith(status);
    Advance();
  }

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    is_reading_ = false;
    if (ok && !end_) {
      Take();
    } else {
      EndWith(absl::OkStatus());
    }
    Advance();
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    is_writing_ = false;
    items_.pop_front();
    if (!ok) Drop();
    Advance();
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    is_cancelled_ = true;
    const MutexLock lock(&mutex_);
    Drop();
    Advance();
  }

  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_) {
    streams_.Remove(this);
    {
      const MutexLock lock(&mutex_);
    }  // who called Finish has let go of it
    delete this;
  }

 private:
  struct Item {
    grpc::ByteBuffer bytes;  // the request, then the answer
    int64_t received_us = 0;
    bool is_done = false;
    absl::Status status;  // of the answer
  };

  // The message that was read.
  void Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    items_.push_back(std::make_shared<Item>());
    const std::shared_ptr<Item> item = items_.back();
    item->bytes.Swap(&read_);
    read_.Clear();
    item->received_us = Clock::Real().NowUs();
    ++num_running_;
    const absl::Status posted =
        work_.Post(item->bytes.Length(), [this, item] { Run(*item); });
    if (posted.ok()) return;
    --num_running_;
    Answer(*item, method_.refuse(posted));
  }

  void Run(Item& item) ABSL_LOCKS_EXCLUDED(mutex_) {
    const InferCaller caller{.received_us = item.received_us,
                             .deadline_us = deadline_us_,
                             .cancelled = &is_cancelled_};
    GrpcAnswer answer = method_.run(item.bytes, caller);
    const MutexLock lock(&mutex_);
    --num_running_;
    Answer(item, std::move(answer));
    Advance();
  }

  void Answer(Item& item, GrpcAnswer answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    item.status = std::move(answer.status);
    item.bytes.Swap(&answer.bytes);
    item.is_done = true;
    work_.CountAnswer(path_, ToGrpc(item.status).error_code(),
                      item.received_us);
  }

  void EndWith(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!end_) end_ = status;
  }

  // Nobody reads answers any more.
  void Drop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    EndWith(absl::CancelledError("the stream was cancelled"));
    is_dropped_ = true;
    is_cancelled_ = true;
  }

  // Starts all that may be started now.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (is_finished_) return;
    if (is_dropped_ && !is_writing_) items_.clear();
    Write();
    if (!end_ && !is_reading_ && items_.size() < kMaxStreamDepth) {
      is_reading_ = true;
      StartRead(&read_);
    }
    if (end_ && !is_writing_ && items_.empty() && num_running_ == 0) {
      is_finished_ = true;
      Finish(ToGrpc(*end_));
    }
  }

  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (is_writing_ || items_.empty() || !items_.front()->is_done) return;
    Item& item = *items_.front();
    if (!item.status.ok() && errors_as_status_) {
      end_ = item.status;
      items_.clear();
      is_dropped_ = true;
      is_cancelled_ = true;  // those behind it
      return;
    }
    is_writing_ = true;
    StartWrite(&item.bytes);
  }

  GrpcStreams& streams_;
  const std::string& path_;
  const GrpcMethod& method_;
  GrpcWork& work_;
  const int64_t deadline_us_;
  const bool errors_as_status_;
  std::atomic<bool> is_cancelled_{false};

  Mutex mutex_;
  grpc::ByteBuffer read_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Item>> items_ ABSL_GUARDED_BY(mutex_);
  int num_running_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_dropped_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);  // set: no reads
};

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* GrpcStreams::Start(
    grpc::CallbackServerContext& context, const std::string& path,
    const GrpcMethod& method, GrpcWork& work) {
  auto* stream = new GrpcStream(*this, context, path, method, work);
  const MutexLock lock(&mutex_);
  streams_.insert(stream);
  if (ended_) {
    stream->End(absl::UnavailableError("the server is stopping"));
  } else {
    stream->Begin();
  }
  return stream;
}

void GrpcStreams::EndAll() {
  const MutexLock lock(&mutex_);
  ended_ = true;
  for (GrpcStream* stream : streams_) {
    stream->End(absl::UnavailableError("the server is stopping"));
  }
}

void GrpcStreams::Remove(GrpcStream* stream) {
  const MutexLock lock(&mutex_);
  streams_.erase(stream);
}

int64_t DeadlineUs(const grpc::CallbackServerContext& context) {
  using std::chrono::system_clock;
  const system_clock::time_point deadline = context.deadline();
  if (deadline == system_clock::time_point::max()) return kNever;
  return Clock::Real().NowUs() +
         std::chrono::duration_cast<std::chrono::microseconds>(
             deadline - system_clock::now())
             .count();
}

}  // namespace quaver
