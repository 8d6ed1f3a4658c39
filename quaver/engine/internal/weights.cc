// See weights.h.
#include "quaver/engine/internal/weights.h"

#include <cstring>
#include <utility>

#include <fmt/ranges.h>

namespace quaver {
namespace {

std::vector<float> Join(const std::vector<TensorView>& parts) {
  std::vector<float> joined;
  for (const TensorView& part : parts) {
    const std::vector<float> floats = ToFloats(part);
    joined.insert(joined.end(), floats.begin(), floats.end());
  }
  return joined;
}

// Other types than floating-point ones are finite.
bool AllFinite(const TensorView& view) {
  // A value is none where all bits of its exponent are set.
  const auto none = [&](auto exponent) {
    using Bits = decltype(exponent);
    for (size_t i = 0; i < view.bytes.size(); i += sizeof(Bits)) {
      Bits bits = 0;
      std::memcpy(&bits, view.bytes.data() + i, sizeof(bits));
      if ((bits & exponent) == exponent) return true;
    }
    return false;
  };
  switch (view.type) {
    case DataType::kF32:
      return !none(uint32_t{0x7F800000});
    case DataType::kF16:
      return !none(uint16_t{0x7C00});
    case DataType::kBF16:
      return !none(uint16_t{0x7F80});
    default:
      return true;
  }
}

}  // namespace

absl::Status CheckFinite(const std::string& folder,
                         const Checkpoint& checkpoint) {
  for (const std::string& name : checkpoint.Names()) {
    ASSIGN_OR_RETURN(const TensorView view, checkpoint.Find(name));
    if (AllFinite(view)) continue;
    return absl::InvalidArgumentError(fmt::format(
        "{}: tensor \"{}\" holds infinities or values that are no numbers",
        folder, name));
  }
  return absl::OkStatus();
}

const float* InPlace(const TensorView& view,
                     std::vector<std::vector<float>>* converted) {
  const auto address = reinterpret_cast<uintptr_t>(view.bytes.data());
  if (view.type == DataType::kF32 && address % alignof(float) == 0) {
    return reinterpret_cast<const float*>(view.bytes.data());
  }
  converted->push_back(ToFloats(view));
  return converted->back().data();
}

absl::StatusOr<TensorView> TensorFinder::Find(
    const std::string& name, const std::vector<int64_t>& shape) const {
  ASSIGN_OR_RETURN(TensorView view, checkpoint_.Find(prefix_ + name));
  if (view.shape != shape) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: tensor \"{}{}\" has shape [{}]; config.json asks for [{}]",
        folder_, prefix_, name, fmt::join(view.shape, ", "),
        fmt::join(shape, ", ")));
  }
  if (view.type != DataType::kF32 && view.type != DataType::kF16 &&
      view.type != DataType::kBF16) {
    return absl::UnimplementedError(
        fmt::format("{}: tensor \"{}{}\" of type {} is not supported", folder_,
                    prefix_, name, Name(view.type)));
  }
  found_.insert(prefix_ + name);
  return view;
}

absl::StatusOr<NormViews> TensorFinder::FindNorm(const std::string& name,
                                                 int64_t D) const {
  NormViews norm;
  ASSIGN_OR_RETURN(norm.weight, Find(name + ".weight", {D}));
  ASSIGN_OR_RETURN(norm.bias, Find(name + ".bias", {D}));
  return norm;
}

absl::StatusOr<LinearViews> TensorFinder::FindLinear(
    std::initializer_list<std::string> names, int64_t outputs,
    int64_t K) const {
  LinearViews linear;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(auto weight, Find(name + ".weight", {outputs, K}));
    ASSIGN_OR_RETURN(auto bias, Find(name + ".bias", {outputs}));
    linear.weights.push_back(std::move(weight));
    linear.biases.push_back(std::move(bias));
  }
  linear.N = names.size() * static_cast<size_t>(outputs);
  linear.K = static_cast<size_t>(K);
  return linear;
}

// Products with more inputs than sums of bytes hold stay as they are.
Precision Possible(Precision precision, size_t K) {
  return precision == Precision::kInt8 && K > kInt8MaxInputs ? Precision::kFp32
                                                             : precision;
}

size_t Packer::MeasureLinear(const Kernels& kernels, size_t N, size_t K,
                             Precision precision) {
  switch (Possible(precision, K)) {
    case Precision::kBf16: {
      const size_t columns = Bf16Columns(N);
      return FloatArena::Rounded(columns * Bf16Stride(K) / 2) +
             FloatArena::Rounded(columns);
    }
    case Precision::kInt8: {
      const size_t columns = Int8Columns(N);
      return FloatArena::Rounded(columns * Int8Stride(K) / sizeof(float)) +
             3 * FloatArena::Rounded(columns);
    }
    default:
      return FloatArena::Rounded(kernels.dense.packed_size(N, K)) +
             FloatArena::Rounded(N);
  }
}

size_t Packer::MeasureLinear(const Kernels& kernels, const LinearViews& views) {
  return MeasureLinear(kernels, views.N, views.K, views.precision);
}

Linear Packer::PackLinear(const LinearViews& views) {
  Linear linear =
      PackLinear(Join(views.weights).data(), Join(views.biases).data(), views.N,
                 views.K, views.precision);
  if (linear.precision == Precision::kInt8) linear.range = views.range;
  return linear;
}

Linear Packer::PackLinear(const float* weight, const float* bias, size_t N,
                          size_t K, Precision precision) {
  Linear linear{Possible(precision, K), N, K};
  if (linear.precision == Precision::kFp32) {
    float* packed = arena_.Take(kernels_.dense.packed_size(N, K));
    kernels_.dense.pack(weight, N, K, packed);
    linear.weight = packed;
    linear.bias = Copy(std::vector<float>(bias, bias + N));
    return linear;
  }
  if (linear.precision == Precision::kBf16) {
    const Bf16Pack pack = PackBf16(weight, bias, N, K);
    linear.bf16 = {Copy(pack.halves), Copy(pack.bias), N, K};
    return linear;
  }
  const Int8Pack pack = PackInt8(weight, bias, N, K);
  linear.int8 = {Copy(pack.codes),
                 Copy(pack.scales),
                 Copy(pack.sums),
                 Copy(pack.bias),
                 N,
                 K};
  return linear;
}

Norm Packer::CopyNorm(const NormViews& views) {
  return {Copy(ToFloats(views.weight)), Copy(ToFloats(views.bias))};
}

template <typename T>
const T* Packer::Copy(const std::vector<T>& values) {
  const size_t bytes = values.size() * sizeof(T);
  float* to = arena_.Take((bytes + sizeof(float) - 1) / sizeof(float));
  std::memcpy(to, values.data(), bytes);
  return reinterpret_cast<const T*>(to);
}
template const float* Packer::Copy(const std::vector<float>& values);
template const int8_t* Packer::Copy(const std::vector<int8_t>& values);
template const uint16_t* Packer::Copy(const std::vector<uint16_t>& values);

}  // namespace quaver
