// Chooses the table once, from what the processor and the system can do.
#include "quaver/kernels/kernels.h"

#include <cpuid.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <sys/syscall.h>

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

// What __builtin_cpu_supports of older compilers does not know.
bool HasFeature(unsigned subleaf, int reg, int bit) {
  unsigned registers[4] = {};  // eax, ebx, ecx, edx
  constexpr unsigned kExtendedFeatures = 7;
  return __get_cpuid_count(kExtendedFeatures, subleaf, &registers[0],
                           &registers[1], &registers[2], &registers[3]) != 0 &&
         (registers[reg] >> bit & 1) != 0;
}

bool HasAvxVnni() { return HasAvx2() && HasFeature(1, 0, 4); }

bool HasAvx512Vnni() {
  return HasAvx512() && __builtin_cpu_supports("avx512vnni");
}

bool HasAvx512Bf16() { return HasAvx512Vnni() && HasFeature(1, 0, 5); }

// The tiles are 8 KiB of a thread's state, for which a process has to ask.
bool HasAmx() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return HasAvx512Bf16() && HasFeature(0, 3, 22) && HasFeature(0, 3, 24) &&
         HasFeature(0, 3, 25) &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

struct Tables {
  Kernels scalar{"scalar",    kDenseScalar, kInt8Scalar,
                 kBf16Scalar, kScanScalar,  kTallyScalar};
  Kernels avx2{"avx2", kDenseAvx2, kInt8Avx2, kBf16Avx2, kScanAvx2, kTallyAvx2};
  Kernels avx_vnni{"avx_vnni", kDenseAvx2, kInt8AvxVnni,
                   kBf16Avx2,  kScanAvx2,  kTallyAvx2};
  Kernels avx512{"avx512",    kDenseAvx512, kInt8Avx512,
                 kBf16Avx512, kScanAvx512,  kTallyAvx512};
  Kernels avx512_vnni{"avx512_vnni", kDenseAvx512, kInt8Avx512Vnni,
                      kBf16Avx512,   kScanAvx512,  kTallyAvx512};
  Kernels avx512_bf16{"avx512_bf16",   kDenseAvx512, kInt8Avx512Vnni,
                      kBf16Avx512Bf16, kScanAvx512,  kTallyAvx512};
  Kernels amx{"amx",    kDenseAvx512, kInt8Amx,
              kBf16Amx, kScanAvx512,  kTallyAvx512};
  std::vector<const Kernels*> available{&scalar};

  Tables() {
    if (HasAvx2()) available.push_back(&avx2);
    if (HasAvxVnni()) available.push_back(&avx_vnni);
    if (HasAvx512()) available.push_back(&avx512);
    if (HasAvx512Vnni()) available.push_back(&avx512_vnni);
    if (HasAvx512Bf16()) available.push_back(&avx512_bf16);
    if (HasAmx()) available.push_back(&amx);
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
