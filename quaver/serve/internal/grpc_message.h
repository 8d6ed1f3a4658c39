// Protobuf messages from and to the bytes of gRPC, and statuses.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "quaver/base/status.h"

namespace quaver {

// Strings, messages and unknown fields of a message: one may have two bytes on
// the wire and a hundred or two in memory.
constexpr int kMaxMessageParts = (1 << 20) + 1024;  // kMaxStrings, and others

// InvalidArgument for bytes that are no such message, and for more than
// kMaxMessageParts, which are counted before memory is taken for them.
absl::Status ParseMessage(const grpc::ByteBuffer& bytes,
                          google::protobuf::Message& message);

grpc::ByteBuffer WriteMessage(const google::protobuf::Message& message);

// As Triton: NOT_FOUND, INTERNAL, UNIMPLEMENTED, ALREADY_EXISTS, CANCELLED and
// UNAVAILABLE as they are; the latter too where a deadline passed or a resource
// is exhausted; all else is INVALID_ARGUMENT. Long messages are cut, as they
// travel in a header.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace quaver
