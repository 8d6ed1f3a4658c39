// See grpc_message.h.
#include "quaver/serve/internal/grpc_message.h"

#include <cstdint>
#include <string>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include "quaver/base/check.h"

namespace quaver {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// Below that, parts cannot take much.
constexpr size_t kUncountedBytes = 16 << 10;

// Three of them are four in a header, where all have 8 KiB.
constexpr size_t kMaxStatusBytes = 2000;

class PartCounter {
 public:
  explicit PartCounter(CodedInputStream& stream) : stream_(stream) {}

  int num_parts() const { return num_parts_; }

  // False for bytes that are no message, or have too many parts. Nesting is as
  // deep as the messages' types are, as none contains itself.
  bool Count(const Descriptor& type) {
    while (const uint32_t tag = stream_.ReadTag()) {
      const auto* field =
          type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
      if (!CountField(tag, field) || num_parts_ > kMaxMessageParts) {
        return false;
      }
    }
    return stream_.ConsumedEntireMessage();
  }

 private:
  bool CountField(uint32_t tag, const FieldDescriptor* field) {
    if (WireFormatLite::GetTagWireType(tag) !=
        WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (field == nullptr) ++num_parts_;
      return !IsGroup(tag) && WireFormatLite::SkipField(&stream_, tag);
    }
    int num_bytes = 0;
    if (!stream_.ReadVarintSizeAsInt(&num_bytes)) return false;
    if (field == nullptr || !field->is_packable()) ++num_parts_;
    if (field == nullptr || field->message_type() == nullptr) {
      return stream_.Skip(num_bytes);
    }
    const auto limit = stream_.PushLimit(num_bytes);
    const bool is_whole =
        Count(*field->message_type()) && stream_.BytesUntilLimit() == 0;
    stream_.PopLimit(limit);
    return is_whole;
  }

  // Of protobuf's first version; what they hold would not be counted.
  static bool IsGroup(uint32_t tag) {
    const auto type = WireFormatLite::GetTagWireType(tag);
    return type == WireFormatLite::WIRETYPE_START_GROUP ||
           type == WireFormatLite::WIRETYPE_END_GROUP;
  }

  CodedInputStream& stream_;
  int num_parts_ = 0;
};

absl::Status CheckParts(grpc::ByteBuffer bytes, const Descriptor& type) {
  grpc::ProtoBufferReader reader(&bytes);
  CodedInputStream stream(&reader);
  PartCounter counter(stream);
  if (counter.Count(type)) return absl::OkStatus();
  if (counter.num_parts() <= kMaxMessageParts) {
    return absl::InvalidArgumentError(
        fmt::format("the request is no {}", type.full_name()));
  }
  return absl::InvalidArgumentError(fmt::format(
      "the request has more than {} strings and messages", kMaxMessageParts));
}

grpc::StatusCode ToGrpc(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kCancelled:
      return grpc::StatusCode::CANCELLED;
    case absl::StatusCode::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case absl::StatusCode::kAlreadyExists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case absl::StatusCode::kUnimplemented:
      return grpc::StatusCode::UNIMPLEMENTED;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return grpc::StatusCode::UNAVAILABLE;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return grpc::StatusCode::INTERNAL;
    default:
      return grpc::StatusCode::INVALID_ARGUMENT;
  }
}

}  // namespace

absl::Status ParseMessage(const grpc::ByteBuffer& bytes,
                          google::protobuf::Message& message) {
  if (bytes.Length() > kUncountedBytes) {
    RETURN_IF_ERROR(CheckParts(bytes, *message.GetDescriptor()));
  }
  grpc::ByteBuffer shared = bytes;  // the reader changes it
  grpc::ProtoBufferReader reader(&shared);
  if (reader.status().ok() && message.ParseFromZeroCopyStream(&reader)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(fmt::format(
      "the request is no {}", message.GetDescriptor()->full_name()));
}

grpc::ByteBuffer WriteMessage(const google::protobuf::Message& message) {
  grpc::ByteBuffer bytes;
  bool owns = false;
  const grpc::Status status =
      grpc::GenericSerialize<grpc::ProtoBufferWriter,
                             google::protobuf::Message>(message, &bytes, &owns);
  QUAVER_CHECK(status.ok());
  return bytes;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message = Message(status);
  if (message.size() > kMaxStatusBytes) {
    message.resize(kMaxStatusBytes);
    message += "...";
  }
  return {ToGrpc(status.code()), message};
}

}  // namespace quaver
