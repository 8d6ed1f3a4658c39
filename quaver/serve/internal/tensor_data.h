// A tensor's elements from JSON and from bytes, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/internal/json_body.h"

namespace quaver {

// Elements of a BYTES tensor: an empty one has 4 bytes on the wire and 32 in
// memory.
constexpr int64_t kMaxStrings = 1 << 20;

// "[2,-1]".
std::string ShapeText(const std::vector<int64_t>& shape);

// The product of the shape. InvalidArgument when a dimension is negative, when
// the elements or their bytes cannot be counted, or for too many strings.
absl::StatusOr<int64_t> CountElements(const Tensor& tensor);

// Set the data of a tensor whose other fields are set. InvalidArgument when the
// data does not fit them; `model` is for the message. What is allocated follows
// the data, not the shape.
//
// From an array of numbers, booleans or strings, nested in any way.
absl::Status ReadJsonData(const simdjson::dom::element& data,
                          const std::string& model, Tensor& tensor);
// The same, from a value that stands alone too.
absl::Status ReadJsonElements(const simdjson::dom::element& data,
                              const std::string& model, Tensor& tensor);
// Little-endian; BYTES as 4 bytes of length before each element.
absl::Status ReadBinaryData(std::string_view bytes, const std::string& model,
                            Tensor& tensor);

// "[1,2]", flat. InvalidArgument for FP16, BF16 and strings that are no UTF-8.
absl::Status AppendJsonData(const Tensor& tensor, std::string& json);
size_t BinaryBytes(const Tensor& tensor);
void AppendBinaryData(const Tensor& tensor, std::string& bytes);

// A JSON string, quotes included. REQUIRES: valid UTF-8.
void AppendJsonString(std::string_view text, std::string& json);
bool IsUtf8(std::string_view text);

}  // namespace quaver
