// See tensors.h.
#include "quaver/sched/tensors.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include <fmt/ranges.h>

namespace quaver {
namespace {

// Of an element in `raw`; 0 for kBytes.
size_t ElementBytes(Datatype datatype) {
  switch (datatype) {
    case Datatype::kBool:
    case Datatype::kUint8:
    case Datatype::kInt8:
      return 1;
    case Datatype::kUint16:
    case Datatype::kInt16:
    case Datatype::kFp16:
    case Datatype::kBf16:
      return 2;
    case Datatype::kUint32:
    case Datatype::kInt32:
    case Datatype::kFp32:
      return 4;
    case Datatype::kUint64:
    case Datatype::kInt64:
    case Datatype::kFp64:
      return 8;
    case Datatype::kBytes:
      return 0;
  }
  return 0;
}

bool Fits(const std::vector<int64_t>& expected,
          const std::vector<int64_t>& shape) {
  return std::equal(expected.begin(), expected.end(), shape.begin(),
                    shape.end(), [](int64_t wanted, int64_t dim) {
                      return dim >= 0 && (wanted == -1 || wanted == dim);
                    });
}

absl::Status CheckTensor(const TensorSpec& input, const Tensor& tensor) {
  if (tensor.datatype != input.datatype) {
    return absl::InvalidArgumentError(fmt::format(
        "input '{}' has another datatype than the model's", tensor.name));
  }
  if (!Fits(input.shape, tensor.shape)) {
    return absl::InvalidArgumentError(fmt::format(
        "input '{}' has shape [{}]; expected [{}], -1 for any", tensor.name,
        fmt::join(tensor.shape, ","), fmt::join(input.shape, ",")));
  }
  if (HasItsElements(tensor)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("input '{}' does not have the elements that its shape [{}] "
                  "says",
                  tensor.name, fmt::join(tensor.shape, ",")));
}

}  // namespace

bool HasItsElements(const Tensor& tensor) {
  size_t elements = 1;
  for (const int64_t dim : tensor.shape) {
    if (dim < 0 ||
        __builtin_mul_overflow(elements, static_cast<size_t>(dim), &elements)) {
      return false;
    }
  }
  const size_t bytes = ElementBytes(tensor.datatype);
  if (bytes == 0) return tensor.strings.size() == elements;
  return tensor.raw.size() % bytes == 0 &&
         tensor.raw.size() / bytes == elements;
}

int64_t NumElements(const Tensor& tensor) {
  return std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1},
                         std::multiplies<>());
}

absl::Status CheckInputs(const std::vector<TensorSpec>& inputs,
                         const Tensors& request) {
  size_t num_known = 0;
  for (const TensorSpec& input : inputs) {
    const Tensor* found = nullptr;
    for (const Tensor& tensor : request) {
      if (tensor.name != input.name) continue;
      if (found != nullptr) {
        return absl::InvalidArgumentError(
            fmt::format("input '{}' is there twice", input.name));
      }
      found = &tensor;
    }
    if (found != nullptr) {
      RETURN_IF_ERROR(CheckTensor(input, *found));
      ++num_known;
    } else if (!input.optional) {
      return absl::InvalidArgumentError(
          fmt::format("there is no input '{}'", input.name));
    }
  }
  if (num_known == request.size()) return absl::OkStatus();
  const auto unknown =
      std::find_if(request.begin(), request.end(), [&](const Tensor& tensor) {
        return std::none_of(
            inputs.begin(), inputs.end(),
            [&](const TensorSpec& input) { return input.name == tensor.name; });
      });
  return absl::InvalidArgumentError(
      fmt::format("the model has no input '{}'", unknown->name));
}

const Tensor* FindTensor(const Tensors& tensors, std::string_view name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(),
                   [&](const Tensor& one) { return one.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

std::vector<const Tensor*> ByName(const Tensors& tensors) {
  std::vector<const Tensor*> sorted;
  for (const Tensor& tensor : tensors) sorted.push_back(&tensor);
  std::stable_sort(
      sorted.begin(), sorted.end(),
      [](const Tensor* a, const Tensor* b) { return a->name < b->name; });
  return sorted;
}

std::string TensorsKind(const Tensors& request,
                        std::span<const std::string> ragged) {
  std::string kind;
  for (const Tensor* tensor : ByName(request)) {
    kind += fmt::format("{}:{}{}", tensor->name.size(), tensor->name,
                        static_cast<int>(tensor->datatype));
    const bool is_ragged =
        std::find(ragged.begin(), ragged.end(), tensor->name) != ragged.end();
    for (size_t i = 1; i < tensor->shape.size(); ++i) {
      kind += fmt::format(",{}", is_ragged ? -1 : tensor->shape[i]);
    }
    kind += ';';
  }
  return kind;
}

}  // namespace quaver
