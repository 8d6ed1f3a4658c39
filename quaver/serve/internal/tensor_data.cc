// See tensor_data.h.
#include "quaver/serve/internal/tensor_data.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "quaver/base/check.h"
#include "quaver/serve/kserve_datatype.h"

namespace quaver {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kLengthBytes = 4;  // before an element of BYTES

// Calls `function` with a value of the C++ type that holds an element.
// REQUIRES: it has one, as FP16, BF16 and BYTES have not.
template <typename Function>
auto WithType(Datatype datatype, const Function& function) {
  switch (datatype) {
    case Datatype::kBool:
      return function(bool{false});
    case Datatype::kUint8:
      return function(uint8_t{0});
    case Datatype::kUint16:
      return function(uint16_t{0});
    case Datatype::kUint32:
      return function(uint32_t{0});
    case Datatype::kUint64:
      return function(uint64_t{0});
    case Datatype::kInt8:
      return function(int8_t{0});
    case Datatype::kInt16:
      return function(int16_t{0});
    case Datatype::kInt32:
      return function(int32_t{0});
    case Datatype::kInt64:
      return function(int64_t{0});
    case Datatype::kFp32:
      return function(float{0});
    default:
      QUAVER_CHECK(datatype == Datatype::kFp64);
      return function(double{0});
  }
}

// False when the element is no such value.
template <typename Value>
bool ReadValue(const dom::element& element, Value& value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return element.get(value) == simdjson::SUCCESS;
  } else if constexpr (std::is_floating_point_v<Value>) {
    double wide = 0;
    if (element.get(wide) != simdjson::SUCCESS ||
        std::abs(wide) > std::numeric_limits<Value>::max()) {
      return false;
    }
    value = static_cast<Value>(wide);
    return true;
  } else {
    std::conditional_t<std::is_signed_v<Value>, int64_t, uint64_t> wide = 0;
    if (element.get(wide) != simdjson::SUCCESS || !std::in_range<Value>(wide)) {
      return false;
    }
    value = static_cast<Value>(wide);
    return true;
  }
}

// Calls visit(element) for every element that is no array.
template <typename Visit>
absl::Status ForEachElement(const dom::element& data, int depth,
                            const Visit& visit) {
  dom::array array;
  if (data.get(array) != simdjson::SUCCESS) return visit(data);
  if (depth == kMaxNesting) return NestingError();
  for (const dom::element element : array) {
    RETURN_IF_ERROR(ForEachElement(element, depth + 1, visit));
  }
  return absl::OkStatus();
}

absl::Status WrongElement(const Tensor& tensor, size_t index) {
  return absl::InvalidArgumentError(
      fmt::format("Unable to parse 'data': element {} of input '{}' is not in "
                  "the range of {}",
                  index, tensor.name, DatatypeName(tensor.datatype)));
}

absl::Status ReadJsonNumbers(const dom::element& data, size_t num_elements,
                             Tensor& tensor) {
  return WithType(tensor.datatype, [&](auto zero) -> absl::Status {
    const auto mismatch = [&] {
      return absl::InvalidArgumentError(
          fmt::format("Unable to parse 'data': shape {} of input '{}' does not "
                      "match true shape of 'data' field",
                      ShapeText(tensor.shape), tensor.name));
    };
    size_t count = 0;
    RETURN_IF_ERROR(ForEachElement(data, 0, [&](const dom::element& element) {
      auto value = zero;
      if (!ReadValue(element, value)) return WrongElement(tensor, count);
      if (++count > num_elements) return mismatch();
      const auto* bytes = reinterpret_cast<const std::byte*>(&value);
      tensor.raw.insert(tensor.raw.end(), bytes, bytes + sizeof(value));
      return absl::OkStatus();
    }));
    return count == num_elements ? absl::OkStatus() : mismatch();
  });
}

absl::Status TooManyStrings(const Tensor& tensor, size_t num_elements,
                            const std::string& model) {
  return absl::InvalidArgumentError(fmt::format(
      "unexpected number of string elements {} for inference input '{}' for "
      "model '{}', expecting {}",
      num_elements + 1, tensor.name, model, num_elements));
}

absl::Status TooFewStrings(const Tensor& tensor, size_t num_elements,
                           const std::string& model) {
  return absl::InvalidArgumentError(
      fmt::format("expected {} string elements for inference input '{}' for "
                  "model '{}', got {}",
                  num_elements, tensor.name, model, tensor.strings.size()));
}

absl::Status ReadJsonStrings(const dom::element& data, size_t num_elements,
                             const std::string& model, Tensor& tensor) {
  RETURN_IF_ERROR(ForEachElement(data, 0, [&](const dom::element& element) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError(
          fmt::format("Unable to parse 'data': element {} of input '{}' is no "
                      "string",
                      tensor.strings.size(), tensor.name));
    }
    if (tensor.strings.size() == num_elements) {
      return TooManyStrings(tensor, num_elements, model);
    }
    tensor.strings.emplace_back(text);
    return absl::OkStatus();
  }));
  if (tensor.strings.size() == num_elements) return absl::OkStatus();
  return TooFewStrings(tensor, num_elements, model);
}

absl::Status ReadBinaryStrings(std::string_view bytes, size_t num_elements,
                               const std::string& model, Tensor& tensor) {
  const auto incomplete = [&](const char* what, size_t needed) {
    return absl::InvalidArgumentError(
        fmt::format("incomplete string {} for inference input '{}' for model "
                    "'{}', expecting {} bytes but only {} bytes available",
                    what, tensor.name, model, needed, bytes.size()));
  };
  while (!bytes.empty()) {
    if (bytes.size() < kLengthBytes) {
      return incomplete("length indicator", kLengthBytes);
    }
    if (tensor.strings.size() == num_elements) {
      return TooManyStrings(tensor, num_elements, model);
    }
    uint32_t num_bytes = 0;
    std::memcpy(&num_bytes, bytes.data(), sizeof(num_bytes));
    bytes.remove_prefix(kLengthBytes);
    if (bytes.size() < num_bytes) return incomplete("data", num_bytes);
    tensor.strings.emplace_back(bytes.substr(0, num_bytes));
    bytes.remove_prefix(num_bytes);
  }
  if (tensor.strings.size() == num_elements) return absl::OkStatus();
  return TooFewStrings(tensor, num_elements, model);
}

// As JSON has no word for them, Triton writes them so and Python reads it.
std::string_view NotFinite(double value) {
  if (std::isnan(value)) return "NaN";
  return value < 0 ? "-Infinity" : "Infinity";
}

template <typename Value>
void AppendValue(Value value, std::string& json) {
  if constexpr (std::is_floating_point_v<Value>) {
    if (!std::isfinite(value)) {
      json += NotFinite(value);
      return;
    }
  }
  fmt::format_to(std::back_inserter(json), "{}", value);
}

absl::Status AppendJsonStrings(const Tensor& tensor, std::string& json) {
  for (size_t i = 0; i < tensor.strings.size(); ++i) {
    if (!IsUtf8(tensor.strings[i])) {
      return absl::InvalidArgumentError(
          fmt::format("element {} of output '{}' is not UTF-8. Please use the "
                      "binary data format for output",
                      i, tensor.name));
    }
    if (i > 0) json += ',';
    AppendJsonString(tensor.strings[i], json);
  }
  return absl::OkStatus();
}

}  // namespace

std::string ShapeText(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

absl::StatusOr<int64_t> CountElements(const Tensor& tensor) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const auto invalid = [&](const std::string& why) {
    return absl::InvalidArgumentError(
        fmt::format("invalid shape for input '{}': shape {} {}", tensor.name,
                    ShapeText(tensor.shape), why));
  };
  const auto& shape = tensor.shape;
  if (std::any_of(shape.begin(), shape.end(),
                  [](int64_t dim) { return dim < 0; })) {
    return invalid("contains one or more invalid dimensions");
  }
  if (std::count(shape.begin(), shape.end(), 0) > 0) return 0;
  int64_t num_elements = 1;
  for (const int64_t dim : shape) {
    if (num_elements > kMax / dim) {
      return invalid(fmt::format(
          "causes total element count to exceed maximum size of {}", kMax));
    }
    num_elements *= dim;
  }
  const auto size = static_cast<int64_t>(DatatypeSize(tensor.datatype));
  if (size > 1 && num_elements > kMax / size) {
    return absl::InvalidArgumentError(fmt::format(
        "byte size overflow for input '{}': element count ({}) * data type "
        "size ({}) exceeds maximum allowed size ({})",
        tensor.name, num_elements, size, kMax));
  }
  if (tensor.datatype == Datatype::kBytes && num_elements > kMaxStrings) {
    return invalid(fmt::format("has more than {} strings", kMaxStrings));
  }
  return num_elements;
}

absl::Status ReadJsonData(const dom::element& data, const std::string& model,
                          Tensor& tensor) {
  if (data.is_array()) return ReadJsonElements(data, model, tensor);
  return absl::InvalidArgumentError(
      fmt::format("Unable to parse 'data': that of input '{}' is not an array",
                  tensor.name));
}

absl::Status ReadJsonElements(const dom::element& data,
                              const std::string& model, Tensor& tensor) {
  ASSIGN_OR_RETURN(const int64_t num_elements, CountElements(tensor));
  if (tensor.datatype == Datatype::kFp16 ||
      tensor.datatype == Datatype::kBf16) {
    return absl::InvalidArgumentError(fmt::format(
        "receiving {} data via JSON is not supported. Please use the binary "
        "data format for input {}",
        DatatypeName(tensor.datatype), tensor.name));
  }
  const auto count = static_cast<size_t>(num_elements);
  if (tensor.datatype != Datatype::kBytes) {
    return ReadJsonNumbers(data, count, tensor);
  }
  return ReadJsonStrings(data, count, model, tensor);
}

absl::Status ReadBinaryData(std::string_view bytes, const std::string& model,
                            Tensor& tensor) {
  ASSIGN_OR_RETURN(const int64_t num_elements, CountElements(tensor));
  const auto count = static_cast<size_t>(num_elements);
  if (tensor.datatype == Datatype::kBytes) {
    return ReadBinaryStrings(bytes, count, model, tensor);
  }
  const size_t num_bytes = count * DatatypeSize(tensor.datatype);
  if (bytes.size() != num_bytes) {
    return absl::InvalidArgumentError(fmt::format(
        "input byte size mismatch for input '{}' for model '{}'. Expected {}, "
        "got {}",
        tensor.name, model, num_bytes, bytes.size()));
  }
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
  tensor.raw.assign(begin, begin + bytes.size());
  if (tensor.datatype == Datatype::kBool &&
      std::any_of(tensor.raw.begin(), tensor.raw.end(),
                  [](std::byte byte) { return byte > std::byte{1}; })) {
    return absl::InvalidArgumentError(
        fmt::format("input '{}' is BOOL and has bytes that are neither 0 nor 1",
                    tensor.name));
  }
  return absl::OkStatus();
}

absl::Status AppendJsonData(const Tensor& tensor, std::string& json) {
  if (tensor.datatype == Datatype::kFp16 ||
      tensor.datatype == Datatype::kBf16) {
    return absl::InvalidArgumentError(fmt::format(
        "sending {} data via JSON is not supported. Please use the binary data "
        "format for output",
        DatatypeName(tensor.datatype)));
  }
  json += '[';
  if (tensor.datatype == Datatype::kBytes) {
    RETURN_IF_ERROR(AppendJsonStrings(tensor, json));
  } else {
    WithType(tensor.datatype, [&](auto value) {
      for (size_t at = 0; at < tensor.raw.size(); at += sizeof(value)) {
        std::memcpy(&value, tensor.raw.data() + at, sizeof(value));
        if (at > 0) json += ',';
        AppendValue(value, json);
      }
    });
  }
  json += ']';
  return absl::OkStatus();
}

size_t BinaryBytes(const Tensor& tensor) {
  if (tensor.datatype != Datatype::kBytes) return tensor.raw.size();
  size_t num_bytes = kLengthBytes * tensor.strings.size();
  for (const std::string& text : tensor.strings) num_bytes += text.size();
  return num_bytes;
}

void AppendBinaryData(const Tensor& tensor, std::string& bytes) {
  if (tensor.datatype != Datatype::kBytes) {
    bytes.append(reinterpret_cast<const char*>(tensor.raw.data()),
                 tensor.raw.size());
    return;
  }
  for (const std::string& text : tensor.strings) {
    const auto num_bytes = static_cast<uint32_t>(text.size());
    bytes.append(reinterpret_cast<const char*>(&num_bytes), sizeof(num_bytes));
    bytes += text;
  }
}

void AppendJsonString(std::string_view text, std::string& json) {
  json += nlohmann::json(text).dump();
}

bool IsUtf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace quaver
