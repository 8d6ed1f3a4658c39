// Requests of gRPC as they were before they were compressed, large ones few at
// a time: what BodyReader is to HTTP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <grpcpp/support/byte_buffer.h>

#include "quaver/base/status.h"
#include "quaver/sched/instances.h"

namespace quaver {

// The bytes themselves where they are not compressed. gRPC tells a method
// nothing of that once it does not inflate itself, which it does without bound;
// but the first byte of gzip and of zlib begins none of our messages.
// OutOfRange for more than `max_bytes`; InvalidArgument for what is damaged.
absl::StatusOr<grpc::ByteBuffer> Inflate(const grpc::ByteBuffer& sent,
                                         size_t max_bytes);

struct GrpcBody {
  grpc::ByteBuffer bytes;
  std::optional<InstancePool::Lease> turn;  // the right to have what is large
};

// Thread-safe; outlives its bodies.
class GrpcBodies {
 public:
  GrpcBodies();

  // Up to BodyReader::kMaxBytes. Errors as Inflate's; Unavailable when too many
  // large ones wait, DeadlineExceeded when `deadline_us` passes meanwhile.
  absl::StatusOr<GrpcBody> Open(const grpc::ByteBuffer& sent,
                                int64_t deadline_us);

 private:
  InstancePool large_;
};

}  // namespace quaver
