// See grpc_bodies.h.
#include "quaver/serve/internal/grpc_bodies.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quaver/base/check.h"
#include "quaver/serve/content_coding.h"
#include "quaver/serve/request_body.h"

namespace quaver {
namespace {

// RFC 1952: 1f 8b. As a tag it had a wire type that is none.
// RFC 1950: 78 for the window that all use, then a multiple of 31. As a tag it
// were a number in field 15, which no request has.
ContentCoding CodingOf(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  if (!bytes.Dump(&slices).ok() || slices.empty() || slices[0].size() < 2) {
    return ContentCoding::kIdentity;
  }
  const int first = slices[0].begin()[0];
  const int second = slices[0].begin()[1];
  if (first == 0x1f && second == 0x8b) return ContentCoding::kGzip;
  if (first == 0x78 && (first * 256 + second) % 31 == 0) {
    return ContentCoding::kDeflate;
  }
  return ContentCoding::kIdentity;
}

}  // namespace

absl::StatusOr<grpc::ByteBuffer> Inflate(const grpc::ByteBuffer& sent,
                                         size_t max_bytes) {
  const ContentCoding coding = CodingOf(sent);
  if (coding == ContentCoding::kIdentity) return sent;
  grpc::Slice whole;
  QUAVER_CHECK(sent.DumpToSingleSlice(&whole).ok());
  const std::string_view bytes(reinterpret_cast<const char*>(whole.begin()),
                               whole.size());
  ASSIGN_OR_RETURN(const std::string inflated,
                   DecodeBody(coding, bytes, max_bytes));
  const grpc::Slice slice(inflated);
  return grpc::ByteBuffer(&slice, 1);
}

GrpcBodies::GrpcBodies()
    : large_({.num_instances = BodyReader::kNumLarge,
              .max_waiting = BodyReader::kMaxWaiting}) {}

absl::StatusOr<GrpcBody> GrpcBodies::Open(const grpc::ByteBuffer& sent,
                                          int64_t deadline_us) {
  GrpcBody body;
  if (sent.Length() <= BodyReader::kSmallBytes) {
    auto bytes = Inflate(sent, BodyReader::kSmallBytes);
    if (bytes.ok()) {
      body.bytes = *std::move(bytes);
      return body;
    }
    if (!absl::IsOutOfRange(bytes.status())) return bytes.status();
  }
  ASSIGN_OR_RETURN(InstancePool::Lease turn, large_.Acquire(deadline_us));
  body.turn.emplace(std::move(turn));
  ASSIGN_OR_RETURN(body.bytes, Inflate(sent, BodyReader::kMaxBytes));
  return body;
}

}  // namespace quaver
