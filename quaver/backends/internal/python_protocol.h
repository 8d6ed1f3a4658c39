// What a server and its Python processes say to each other, over a socket pair.
//
// A message is
//   u32 size of the payload | u8 type | payload
// with all numbers little-endian, and these parts:
//   string   u32 size | bytes
//   tensor   string name | u8 datatype (the place in Datatype) | u32 rank |
//            i64 a dimension, rank times | u64 size | data, row-major; of BYTES
//            each element as a string
//   tensors  u32 count | tensor, count times
//   request  string id | string parameters (a JSON object, or empty) |
//            u64 timeout, us | tensors | u32 count | string wanted output,
//            count times; none: all
//   answer   u8 1 | tensors, or u8 0 | u8 error code (Triton's) | string text
//
// The server asks for one thing at a time:
//   Start, Complete   string model folder | string version | string script |
//                     u64 limit of memory | u32 count | string key, string
//                     value, count times: what initialize() is given
//   Execute           u32 count | request, count times
//   Finalize          nothing
// and gets Done (string: the completed configuration, else empty), Executed
// (u32 count | answer, count times) or Failed (string: why). During Execute,
//   Cancel  u32 number of the request that nobody waits for any more
// may follow, and the process may ask
//   Call    u64 number | string model | i64 version, -1: the newest | request
//   Ready   u64 number | string model | string version, "": any
// any number of times at once, and gets for each
//   Answer  u64 number | answer; to Ready no tensors, or why not
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

enum class PythonMessageType : uint8_t {
  kStart = 1,
  kComplete = 2,
  kExecute = 3,
  kCancel = 4,
  kAnswer = 5,
  kFinalize = 6,
  kDone = 16,
  kFailed = 17,
  kExecuted = 18,
  kCall = 19,
  kReady = 20,
};

inline constexpr size_t kPythonHeaderBytes = 5;
inline constexpr size_t kMaxPythonMessageBytes = size_t{1} << 30;

struct PythonMessage {
  PythonMessageType type = PythonMessageType::kDone;
  std::string payload;
};

// Of a request, beside its tensors.
struct PythonRequestHead {
  std::string_view id;
  std::string_view parameters;
  int64_t timeout_us = 0;
  std::span<const std::string> outputs;
};

// Appends parts of a payload.
class PythonWriter {
 public:
  void U8(uint8_t value);
  void U32(uint32_t value);
  void U64(uint64_t value);
  void String(std::string_view value);
  void AppendTensors(const Tensors& tensors);
  void Request(const PythonRequestHead& head, const Tensors& tensors);
  void Answer(const absl::StatusOr<Tensors>& answer);

  const std::string& payload() const { return payload_; }
  std::string Take() { return std::move(payload_); }

 private:
  std::string payload_;
};

// Takes parts off a payload. What is malformed makes all that follows empty,
// and Finish an error.
class PythonReader {
 public:
  // `payload` outlives the reader.
  explicit PythonReader(std::string_view payload) : left_(payload) {}

  uint8_t U8();
  uint32_t U32();
  uint64_t U64();
  int64_t I64() { return static_cast<int64_t>(U64()); }
  std::string String();
  Tensors ReadTensors();
  absl::StatusOr<Tensors> Answer();

  bool ok() const { return ok_; }
  // Internal when a part was malformed or something is left.
  absl::Status Finish() const;

 private:
  std::string_view Bytes(uint64_t size);
  Tensor ReadTensor();
  void ReadData(Tensor& tensor);

  std::string_view left_;
  bool ok_ = true;
};

}  // namespace quaver
