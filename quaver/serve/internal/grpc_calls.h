// Methods of a gRPC service as plain functions from bytes to bytes.
//
// They stand on gRPC's callback API: its few threads read, write and hear of
// clients that left, while ours wait for models. The synchronous API would have
// to ask again and again whether a call is cancelled, and start threads as
// calls wait. Messages stay bytes until one of our threads has them, so that a
// large one delays no other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/byte_buffer.h>

#include "quaver/base/status.h"
#include "quaver/serve/infer_call.h"
#include "quaver/serve/internal/grpc_work.h"

namespace quaver {

struct GrpcAnswer {
  absl::Status status;
  // Of a stream also when the status is an error: the message that says so.
  grpc::ByteBuffer bytes;
  // Of a kLong call, metadata of the answer: TimingFields in lower case.
  std::optional<InferTimes> times = std::nullopt;
};

struct GrpcMethod {
  enum class Kind {
    kQuick,       // never waits, small requests: on gRPC's own threads
    kLong,        // on a thread of GrpcWork
    kStream,      // the same, for each message of a stream in both directions
    kRepository,  // as kLong, on threads that no inference takes
  };
  Kind kind = Kind::kQuick;
  std::function<GrpcAnswer(const grpc::ByteBuffer& request,
                           const InferCaller& caller)>
      run;
  // Of kStream: why a message was not run.
  std::function<GrpcAnswer(const absl::Status&)> refuse = nullptr;
};

// Of a request besides those that carry tensors or files. A kQuick request
// above this is refused.
constexpr size_t kMaxQuickBytes = 64 << 10;
absl::Status CheckQuick(const grpc::ByteBuffer& request);

class GrpcStreams;

// Thread-safe once a server knows it; outlives the server.
class GrpcCalls : public grpc::Service {
 public:
  // `repository` is for calls of that kind, `work` for all others. Both outlive
  // it.
  GrpcCalls(GrpcWork& work, GrpcWork& repository);
  ~GrpcCalls() override;

  // `path`: "/package.Service/Method".
  void Add(const std::string& path, GrpcMethod method);

  // Streams end with UNAVAILABLE once what they asked is answered, and new ones
  // are refused.
  void EndStreams();

 private:
  struct Entry {
    std::string path;
    GrpcMethod method;
  };
  GrpcWork& work_;
  GrpcWork& repository_;
  std::vector<std::unique_ptr<Entry>> entries_;
  const std::unique_ptr<GrpcStreams> streams_;
};

}  // namespace quaver
