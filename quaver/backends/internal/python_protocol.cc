// See python_protocol.h.
#include "quaver/backends/internal/python_protocol.h"

#include <array>
#include <bit>
#include <cstring>
#include <span>
#include <utility>

namespace quaver {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr size_t kNumDatatypes = static_cast<size_t>(Datatype::kBytes) + 1;
// In the order of Datatype; strings have no size of their own.
constexpr std::array<uint64_t, kNumDatatypes> kElementBytes = {
    1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2, 0};

// Triton's TRITONSERVER_Error_Code by number, and Abseil's.
constexpr std::array<absl::StatusCode, 8> kErrorCodes = {
    absl::StatusCode::kUnknown,       absl::StatusCode::kInternal,
    absl::StatusCode::kNotFound,      absl::StatusCode::kInvalidArgument,
    absl::StatusCode::kUnavailable,   absl::StatusCode::kUnimplemented,
    absl::StatusCode::kAlreadyExists, absl::StatusCode::kCancelled};

uint8_t ErrorCode(absl::StatusCode code) {
  if (code == absl::StatusCode::kDeadlineExceeded ||
      code == absl::StatusCode::kResourceExhausted) {
    code = absl::StatusCode::kUnavailable;
  }
  for (size_t i = 0; i < kErrorCodes.size(); ++i) {
    if (kErrorCodes[i] == code) return static_cast<uint8_t>(i);
  }
  return 0;
}

// The number of elements, or nothing when it is negative or too large.
bool CountElements(const std::vector<int64_t>& shape, uint64_t& count) {
  count = 1;
  for (const int64_t dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(
                             count, static_cast<uint64_t>(dimension), &count)) {
      return false;
    }
  }
  return true;
}

template <typename T>
void Append(std::string& payload, T value) {
  payload.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

void PythonWriter::U8(uint8_t value) { Append(payload_, value); }
void PythonWriter::U32(uint32_t value) { Append(payload_, value); }
void PythonWriter::U64(uint64_t value) { Append(payload_, value); }

void PythonWriter::String(std::string_view value) {
  U32(static_cast<uint32_t>(value.size()));
  payload_.append(value);
}

void PythonWriter::AppendTensors(const Tensors& tensors) {
  U32(static_cast<uint32_t>(tensors.size()));
  for (const Tensor& tensor : tensors) {
    String(tensor.name);
    U8(static_cast<uint8_t>(tensor.datatype));
    U32(static_cast<uint32_t>(tensor.shape.size()));
    for (const int64_t dimension : tensor.shape) {
      U64(static_cast<uint64_t>(dimension));
    }
    if (tensor.datatype != Datatype::kBytes) {
      U64(tensor.raw.size());
      payload_.append(reinterpret_cast<const char*>(tensor.raw.data()),
                      tensor.raw.size());
      continue;
    }
    uint64_t size = 0;
    for (const std::string& element : tensor.strings) {
      size += sizeof(uint32_t) + element.size();
    }
    U64(size);
    for (const std::string& element : tensor.strings) String(element);
  }
}

void PythonWriter::Request(const PythonRequestHead& head,
                           const Tensors& tensors) {
  String(head.id);
  String(head.parameters);
  U64(static_cast<uint64_t>(head.timeout_us));
  AppendTensors(tensors);
  U32(static_cast<uint32_t>(head.outputs.size()));
  for (const std::string& name : head.outputs) String(name);
}

void PythonWriter::Answer(const absl::StatusOr<Tensors>& answer) {
  U8(answer.ok() ? 1 : 0);
  if (answer.ok()) {
    AppendTensors(*answer);
  } else {
    U8(ErrorCode(answer.status().code()));
    String(Message(answer.status()));
  }
}

std::string_view PythonReader::Bytes(uint64_t size) {
  if (!ok_ || size > left_.size()) {
    ok_ = false;
    return {};
  }
  const std::string_view bytes = left_.substr(0, size);
  left_.remove_prefix(size);
  return bytes;
}

uint8_t PythonReader::U8() {
  const std::string_view bytes = Bytes(1);
  return bytes.empty() ? 0 : static_cast<uint8_t>(bytes[0]);
}

uint32_t PythonReader::U32() {
  uint32_t value = 0;
  const std::string_view bytes = Bytes(sizeof(value));
  if (ok_) std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

uint64_t PythonReader::U64() {
  uint64_t value = 0;
  const std::string_view bytes = Bytes(sizeof(value));
  if (ok_) std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

std::string PythonReader::String() { return std::string(Bytes(U32())); }

Tensors PythonReader::ReadTensors() {
  Tensors tensors;
  const uint32_t count = U32();
  for (uint32_t i = 0; i < count && ok_; ++i) tensors.push_back(ReadTensor());
  return tensors;
}

Tensor PythonReader::ReadTensor() {
  Tensor tensor;
  tensor.name = String();
  const uint8_t datatype = U8();
  if (datatype >= kNumDatatypes) {
    ok_ = false;
    return tensor;
  }
  tensor.datatype = static_cast<Datatype>(datatype);
  const uint32_t rank = U32();
  for (uint32_t i = 0; i < rank && ok_; ++i) tensor.shape.push_back(I64());
  ReadData(tensor);
  return tensor;
}

void PythonReader::ReadData(Tensor& tensor) {
  const std::string_view data = Bytes(U64());
  uint64_t count = 0;
  if (!CountElements(tensor.shape, count)) ok_ = false;
  if (!ok_) return;
  if (tensor.datatype != Datatype::kBytes) {
    const uint64_t width = kElementBytes[static_cast<size_t>(tensor.datatype)];
    ok_ = data.size() % width == 0 && data.size() / width == count;
    const auto bytes = std::as_bytes(std::span(data));
    if (ok_) tensor.raw.assign(bytes.begin(), bytes.end());
    return;
  }
  PythonReader elements(data);
  while (elements.ok_ && !elements.left_.empty()) {
    tensor.strings.push_back(elements.String());
  }
  ok_ = elements.ok_ && tensor.strings.size() == count;
}

absl::StatusOr<Tensors> PythonReader::Answer() {
  if (U8() == 1) return ReadTensors();
  const uint8_t code = U8();
  const std::string text = String();
  if (code >= kErrorCodes.size()) ok_ = false;
  return absl::Status(ok_ ? kErrorCodes[code] : absl::StatusCode::kInternal,
                      text);
}

absl::Status PythonReader::Finish() const {
  if (ok_ && left_.empty()) return absl::OkStatus();
  return absl::InternalError("the Python process sent a malformed message");
}

}  // namespace quaver
