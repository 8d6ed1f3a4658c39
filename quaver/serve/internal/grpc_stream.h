// A call with a stream of messages in both directions.
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "quaver/base/mutex.h"
#include "quaver/serve/internal/grpc_calls.h"
#include "quaver/serve/internal/grpc_work.h"

namespace quaver {

// Messages of a stream that are worked on at once, their answers keep the
// order. Further ones are read as those are answered.
constexpr size_t kMaxStreamDepth = 64;

class GrpcStream;

// The streams there are. Thread-safe.
class GrpcStreams {
 public:
  // A call's reactor, which deletes itself. An error is a message of the
  // stream; with the client's metadata "triton_grpc_error: true" it ends the
  // stream with its status instead. `path` and `method` outlive it.
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Start(
      grpc::CallbackServerContext& context, const std::string& path,
      const GrpcMethod& method, GrpcWork& work) ABSL_LOCKS_EXCLUDED(mutex_);

  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(GrpcStream* stream) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::set<GrpcStream*> streams_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

// When nobody can use the answer any more, on Clock::Real().
int64_t DeadlineUs(const grpc::CallbackServerContext& context);

}  // namespace quaver
