// The parts of the tables, one source each: isa/<part>_<name>.cc.
#pragma once

#include "quaver/kernels/bf16.h"
#include "quaver/kernels/dense.h"
#include "quaver/kernels/int8.h"
#include "quaver/kernels/scan.h"
#include "quaver/kernels/tally.h"

namespace quaver {

// How far ahead scans ask for codes. Codes come from beyond the L2 cache, where
// the hardware looks ahead only within a page: 260,000 codes of 48 bytes, after
// 60 MB of other reads, take 0.76 ms without, 0.51 ms at 2 KiB, 0.43 ms at 8
// KiB. A prefetch never faults, so the end needs no care.
inline constexpr size_t kPrefetchBytes = 8192;

extern const DenseKernels kDenseScalar;
extern const DenseKernels kDenseAvx2;    // AVX2, FMA
extern const DenseKernels kDenseAvx512;  // AVX-512 F, BW, DQ, VL

extern const Int8Kernels kInt8Scalar;
extern const Int8Kernels kInt8Avx2;
extern const Int8Kernels kInt8AvxVnni;     // AVX2, AVX-VNNI
extern const Int8Kernels kInt8Avx512;      // AVX-512 F, BW, DQ, VL
extern const Int8Kernels kInt8Avx512Vnni;  // and VNNI
extern const Int8Kernels kInt8Amx;         // and AMX-TILE, AMX-INT8

extern const Bf16Kernels kBf16Scalar;
extern const Bf16Kernels kBf16Avx2;
extern const Bf16Kernels kBf16Avx512;      // AVX-512 F, BW, DQ, VL
extern const Bf16Kernels kBf16Avx512Bf16;  // and BF16
extern const Bf16Kernels kBf16Amx;         // and AMX-TILE, AMX-BF16

extern const ScanKernels kScanScalar;
extern const ScanKernels kScanAvx2;    // AVX2, FMA
extern const ScanKernels kScanAvx512;  // AVX-512 F, BW, DQ, VL

extern const TallyKernels kTallyScalar;
extern const TallyKernels kTallyAvx2;
extern const TallyKernels kTallyAvx512;  // AVX-512 F, BW

}  // namespace quaver
