// Whether a request is what a servable says it takes, and tensors as values.
//
//   RETURN_IF_ERROR(CheckInputs(inputs(), request));
//   const std::vector<int64_t> ids = ValuesOf<int64_t>(*FindTensor(request,
//   "IDS"));
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

// InvalidArgument, naming the tensor: one that is none of the inputs, is there
// twice, is missing though not optional, has another datatype, a shape that
// does not fit, or not the elements that its shape says.
absl::Status CheckInputs(const std::vector<TensorSpec>& inputs,
                         const Tensors& request);

// Whether `strings` or `raw` are as many as the shape says; not where that has
// a negative dimension or is more than 64 bits can count.
bool HasItsElements(const Tensor& tensor);
// As the shape says. REQUIRES: HasItsElements(tensor).
int64_t NumElements(const Tensor& tensor);

// Null where there is none.
const Tensor* FindTensor(const Tensors& tensors, std::string_view name);

// In the order of their names.
std::vector<const Tensor*> ByName(const Tensors& tensors);

// Equal for requests whose tensors can be joined along dimension 0: in any
// order of the tensors, names, datatypes, and shapes without dimension 0; of
// `ragged` tensors the number of dimensions only.
std::string TensorsKind(const Tensors& request,
                        std::span<const std::string> ragged);

// A copy of what `raw` holds. REQUIRES: T is the datatype's type.
template <typename T>
std::vector<T> ValuesOf(const Tensor& tensor) {
  std::vector<T> values(tensor.raw.size() / sizeof(T));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.raw.data(), values.size() * sizeof(T));
  }
  return values;
}

// REQUIRES: T is the datatype's type, as many values as the shape says.
template <typename T>
Tensor MakeTensor(std::string name, Datatype datatype,
                  std::vector<int64_t> shape, const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {.name = std::move(name),
          .datatype = datatype,
          .shape = std::move(shape),
          .strings = {},
          .raw = {bytes.begin(), bytes.end()}};
}

}  // namespace quaver
