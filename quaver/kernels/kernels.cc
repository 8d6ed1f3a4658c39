// Chooses the table once, from what the processor and the system can do.
#include "quaver/kernels/kernels.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "quaver/base/log.h"
#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

// __builtin_cpu_supports also asks whether the system saves the registers.
bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

struct Tables {
  Kernels scalar{"scalar", kDenseScalar, kScanScalar, kTallyScalar};
  Kernels avx2{"avx2", kDenseAvx2, kScanAvx2, kTallyAvx2};
  Kernels avx512{"avx512", kDenseAvx512, kScanAvx512, kTallyAvx512};
  std::vector<const Kernels*> available{&scalar};

  Tables() {
    if (HasAvx2()) available.push_back(&avx2);
    if (HasAvx512()) available.push_back(&avx512);
  }
};

const Kernels& Choose(const char* wanted) {
  const auto available = AvailableKernels();
  if (wanted == nullptr || *wanted == '\0') return *available.back();
  std::string names;
  for (const Kernels* kernels : available) {
    if (kernels->name == std::string_view(wanted)) return *kernels;
    names += names.empty() ? "" : ", ";
    names += kernels->name;
  }
  LogWarning("QUAVER_ISA=\"{}\" is ignored: this machine has {}", wanted,
             names);
  return *available.back();
}

}  // namespace

std::span<const Kernels* const> AvailableKernels() {
  static const Tables tables;
  return tables.available;
}

const Kernels& BestKernels() {
  static const Kernels& chosen = Choose(std::getenv("QUAVER_ISA"));
  return chosen;
}

}  // namespace quaver
