// See plan_reader.h.
#include "quaver/engine/internal/plan_reader.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "quaver/base/log.h"
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

// The plan's choices for this table on this processor; none where it was tuned
// for others.
absl::StatusOr<TacticTable> ReadTactics(const Artifact& plan,
                                        const Kernels& kernels) {
  const auto others = plan.metadata().lower_bound(kPlanTactics);
  if (others == plan.metadata().end() ||
      !others->first.starts_with(kPlanTactics)) {
    return TacticTable();
  }
  const auto found =
      plan.metadata().find(std::string(kPlanTactics) + kernels.name);
  if (found == plan.metadata().end()) {
    LogInfo("{}: is not tuned for {}: its products go the standard ways",
            plan.path(), kernels.name);
    return TacticTable();
  }
  auto table = TacticTable::Parse(found->second, kernels);
  if (!table.ok()) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: {}: {}", plan.path(), found->first, Message(table.status())));
  }
  if (table->processor() != ProcessorKey()) {
    LogInfo(
        "{}: is tuned for another processor, \"{}\": its products go the "
        "standard ways",
        plan.path(), table->processor());
    return TacticTable();
  }
  return table;
}

}  // namespace

PlanReader::PlanReader(const Artifact& plan, const Kernels& kernels)
    : plan_(plan), kernels_(kernels) {
  const auto columns = plan.Metadata(kPlanColumns);
  if (columns.ok()) columns_ = ParseCount(*columns);
  if (columns_ == 0 || columns_ > kMaxColumns) {
    status_ = absl::InvalidArgumentError(fmt::format(
        "{}: {} is not a width of panels", plan.path(), kPlanColumns));
    return;
  }
  auto tactics = ReadTactics(plan, kernels);
  status_ = tactics.status();
  if (tactics.ok()) tactics_ = *std::move(tactics);
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
  Find(name, N, K, linear);
  linear.tactics = tactics_.Of({linear.precision, N, K});
}

void PlanReader::Find(const std::string& name, size_t N, size_t K,
                      Linear& linear) {
  linear.N = N;
  linear.K = K;
  if (plan_.tensors().contains(name + ".halves")) {
    linear.precision = Precision::kBf16;
    const size_t columns = Bf16Columns(N);
    linear.bf16.N = N;
    linear.bf16.K = K;
    Get(name + ".halves", columns * Bf16Stride(K), linear.bf16.halves);
    Get(name + ".bias", columns, linear.bf16.bias);
    return;
  }
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
    if (plan_.tensors().contains(name + ".range")) FindRange(name, linear);
    return;
  }
  linear.precision = Precision::kFp32;
  if (!status_.ok()) return;
  Get(name + ".bias", N, linear.bias);
  const size_t padded = (N + columns_ - 1) / columns_ * columns_;
  Get(name + ".weight", padded * K, linear.weight);
  if (!status_.ok() || columns_ == kernels_.dense.panel_columns) return;
  if (repacked_.empty()) {
    LogInfo(
        "{}: holds fp32 products in panels of {} outputs, {} reads {}: they "
        "are packed anew, in memory of this process",
        plan_.path(), columns_, kernels_.name, kernels_.dense.panel_columns);
  }
  Repack(N, K, linear);
}

void PlanReader::Repack(size_t N, size_t K, Linear& linear) {
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

void PlanReader::FindRange(const std::string& name, Linear& linear) {
  const float* range = nullptr;
  Get(name + ".range", 2, range);
  if (!status_.ok()) return;
  linear.range = {range[0], range[1]};
  if (range[0] <= 0 && range[1] >= 0 && range[0] < range[1] &&
      std::isfinite(range[1] - range[0])) {
    return;
  }
  status_ = absl::InvalidArgumentError(
      fmt::format("{}: {} to {} is no range of {}'s inputs", plan_.path(),
                  range[0], range[1], name));
}

}  // namespace quaver
