// See plan_reader.h.
#include "quaver/engine/internal/plan_reader.h"

#include <charconv>
#include <utility>

#include "quaver/engine/internal/plan_names.h"

namespace quaver {
namespace {

constexpr size_t kMaxColumns = 1024;
constexpr uintptr_t kAlignment = 64;  // what kernels load needs

size_t ParseCount(const std::string& text) {
  size_t count = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  return error == std::errc() && stop == end ? count : 0;
}

}  // namespace

PlanReader::PlanReader(const Artifact& plan, const Kernels& kernels)
    : plan_(plan), kernels_(kernels) {
  const auto columns = plan.Metadata(kPlanColumns);
  if (columns.ok()) columns_ = ParseCount(*columns);
  if (columns_ == 0 || columns_ > kMaxColumns) {
    status_ = absl::InvalidArgumentError(fmt::format(
        "{}: {} is not a width of panels", plan.path(), kPlanColumns));
  }
}

template <typename T>
void PlanReader::Get(const std::string& name, size_t size, const T*& values) {
  if (!status_.ok()) return;
  const auto found = plan_.Get<T>(name, {static_cast<int64_t>(size)});
  if (!found.ok()) {
    status_ = found.status();
  } else if (reinterpret_cast<uintptr_t>(found->data()) % kAlignment != 0) {
    status_ = absl::InvalidArgumentError(
        fmt::format("{}: tensor \"{}\" does not lie at a multiple of {} bytes",
                    plan_.path(), name, kAlignment));
  } else {
    values = found->data();
  }
}

void PlanReader::Table(const std::string& name, size_t size,
                       const float*& floats) {
  Get(name, size, floats);
}

void PlanReader::Normalisation(const std::string& name, size_t D, Norm& norm) {
  Get(name + ".weight", D, norm.weight);
  Get(name + ".bias", D, norm.bias);
}

void PlanReader::Weight(const std::string& name, size_t N, size_t K,
                        Linear& linear) {
  linear.N = N;
  linear.K = K;
  if (plan_.tensors().contains(name + ".codes")) {
    linear.precision = Precision::kInt8;
    const size_t columns = Int8Columns(N);
    linear.int8.N = N;
    linear.int8.K = K;
    Get(name + ".codes", columns * Int8Stride(K), linear.int8.codes);
    Get(name + ".scales", columns, linear.int8.scales);
    Get(name + ".sums", columns, linear.int8.sums);
    Get(name + ".bias", columns, linear.int8.bias);
    if (status_.ok() && K > kInt8MaxInputs) {
      status_ = absl::InvalidArgumentError(
          fmt::format("{}: {} has {} inputs, above {}", plan_.path(), name, K,
                      kInt8MaxInputs));
    }
    return;
  }
  linear.precision = Precision::kFp32;
  if (!status_.ok()) return;
  Get(name + ".bias", N, linear.bias);
  const size_t padded = (N + columns_ - 1) / columns_ * columns_;
  Get(name + ".weight", padded * K, linear.weight);
  if (!status_.ok() || columns_ == kernels_.dense.panel_columns) return;
  std::vector<float> rows(N * K);
  for (size_t n = 0; n < N; ++n) {
    const float* panel = linear.weight + n / columns_ * columns_ * K;
    for (size_t k = 0; k < K; ++k) {
      rows[n * K + k] = panel[k * columns_ + n % columns_];
    }
  }
  const size_t size = kernels_.dense.packed_size(N, K);
  FloatArena arena(size);
  float* packed = arena.Take(size);
  kernels_.dense.pack(rows.data(), N, K, packed);
  linear.weight = packed;
  repacked_.push_back(std::move(arena));
}

}  // namespace quaver
