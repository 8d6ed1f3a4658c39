// The parts of the tables, one source each: isa/<part>_<name>.cc.
#pragma once

#include "quaver/kernels/dense.h"
#include "quaver/kernels/scan.h"

namespace quaver {

extern const DenseKernels kDenseScalar;
extern const DenseKernels kDenseAvx2;    // AVX2, FMA
extern const DenseKernels kDenseAvx512;  // AVX-512 F, BW, DQ, VL

extern const ScanKernels kScanScalar;
extern const ScanKernels kScanAvx2;    // AVX2, FMA
extern const ScanKernels kScanAvx512;  // AVX-512 F, BW, DQ, VL

}  // namespace quaver
