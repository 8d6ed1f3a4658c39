// Bodies as they were before they were compressed, large ones few at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "quaver/base/status.h"
#include "quaver/net/http.h"
#include "quaver/sched/instances.h"

namespace quaver {

// A body and the right to have it, and what was read from it, in memory. Lives
// no longer than the request and the reader.
class RequestBody {
 public:
  std::string_view bytes() const { return decoded_ ? *decoded_ : sent_; }

 private:
  friend class BodyReader;
  std::string_view sent_;
  std::unique_ptr<std::string> decoded_;  // when it was compressed
  std::optional<InstancePool::Lease> lease_;
};

// Thread-safe. A body is read, once decompressed, into up to ten times its
// size: so those above kSmallBytes take turns, kNumLarge at once.
class BodyReader {
 public:
  static constexpr size_t kMaxBytes = 64 << 20;  // Triton's default
  static constexpr size_t kSmallBytes = 1 << 20;
  static constexpr int kNumLarge = 2;
  static constexpr int kMaxWaiting = 16;

  // `max_bytes` of a body, once decompressed.
  explicit BodyReader(size_t max_bytes = kMaxBytes);

  // InvalidArgument for a Content-Encoding that is unknown or does not hold,
  // OutOfRange for more than `max_bytes` when decompressed, Unavailable when
  // too many large bodies wait.
  absl::StatusOr<RequestBody> Open(const HttpRequest& request);

 private:
  const size_t max_bytes_;
  InstancePool large_;
};

// Compresses the body as the request accepts it, where that saves anything.
void EncodeResponse(const HttpRequest& request, HttpResponse& response);

}  // namespace quaver
