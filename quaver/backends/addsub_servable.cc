// See addsub_servable.h.
#include "quaver/backends/addsub_servable.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <string_view>
#include <thread>

#include "quaver/base/clock.h"

namespace quaver {
namespace {

// Unsigned, so that sums may wrap.
absl::StatusOr<std::vector<uint32_t>> Read(const Tensors& request,
                                           std::string_view name) {
  const auto found =
      std::find_if(request.begin(), request.end(),
                   [&](const Tensor& tensor) { return tensor.name == name; });
  if (found == request.end() || found->datatype != Datatype::kInt32 ||
      found->shape.size() != 2 || found->shape[1] != AddSubServable::kWidth) {
    return absl::InvalidArgumentError(
        fmt::format("expected an input {} of INT32 and shape [-1,{}]", name,
                    AddSubServable::kWidth));
  }
  std::vector<uint32_t> values(found->raw.size() / sizeof(uint32_t));
  if (!values.empty()) {
    std::memcpy(values.data(), found->raw.data(),
                values.size() * sizeof(uint32_t));
  }
  return values;
}

Tensor Write(const char* name, const std::vector<uint32_t>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  const auto rows =
      static_cast<int64_t>(values.size()) / AddSubServable::kWidth;
  return {name,
          Datatype::kInt32,
          {rows, AddSubServable::kWidth},
          {},
          {bytes.begin(), bytes.end()}};
}

}  // namespace

std::vector<TensorSpec> AddSubServable::inputs() const {
  return {{"INPUT0", Datatype::kInt32, {-1, kWidth}},
          {"INPUT1", Datatype::kInt32, {-1, kWidth}}};
}

std::vector<TensorSpec> AddSubServable::outputs() const {
  return {{"OUTPUT0", Datatype::kInt32, {-1, kWidth}},
          {"OUTPUT1", Datatype::kInt32, {-1, kWidth}}};
}

absl::StatusOr<Tensors> AddSubServable::Infer(const Tensors& request,
                                              const CallOptions& options,
                                              CallTimes* /*times*/) {
  RETURN_IF_ERROR(CheckWanted(options, Clock::Real().NowUs()));
  ASSIGN_OR_RETURN(const std::vector<uint32_t> left, Read(request, "INPUT0"));
  ASSIGN_OR_RETURN(const std::vector<uint32_t> right, Read(request, "INPUT1"));
  if (left.size() != right.size()) {
    return absl::InvalidArgumentError("INPUT0 and INPUT1 differ in shape");
  }
  std::this_thread::sleep_for(std::chrono::microseconds(config_.delay_us));
  std::vector<uint32_t> sums(left.size());
  std::vector<uint32_t> differences(left.size());
  for (size_t i = 0; i < left.size(); ++i) {
    sums[i] = left[i] + right[i];
    differences[i] = left[i] - right[i];
  }
  return Tensors{Write("OUTPUT0", sums), Write("OUTPUT1", differences)};
}

}  // namespace quaver
