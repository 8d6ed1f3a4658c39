// The one seam to the hardware: a table of functions for each instruction set.
//
//   const Kernels& kernels = BestKernels();
//   kernels.gemm(...);
//
// scalar.cc is the definition; every other table gives the same result to the
// tolerance stated in kernels_test.cc. A result row depends only on its own
// input row and on the table, never on the number of rows of the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "quaver/kernels/bf16.h"
#include "quaver/kernels/dense.h"
#include "quaver/kernels/int8.h"
#include "quaver/kernels/scan.h"
#include "quaver/kernels/tally.h"

namespace quaver {

struct Kernels {
  const char* name;  // "scalar", "avx2", "avx_vnni", "avx512", ...
  DenseKernels dense;
  Int8Kernels int8;
  Bf16Kernels bf16;
  ScanKernels scan;
  TallyKernels tally;
};

// The tables this machine can run, slowest first; scalar is always there.
std::span<const Kernels* const> AvailableKernels();

// The last of them, or the one that the environment variable QUAVER_ISA
// names; a name this machine cannot run is logged once and ignored.
const Kernels& BestKernels();

}  // namespace quaver
