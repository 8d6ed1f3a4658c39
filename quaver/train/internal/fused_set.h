// The table of one instruction set's functions: see fused_vectors.h.
// clang-format off: each uses what comes before.
#include "quaver/train/internal/fused_vectors.h"
#include "quaver/train/internal/fused_rows.h"
#include "quaver/train/internal/fused_attention.h"
// clang-format on

namespace quaver::fused::QUAVER_SET {

template <typename T>
constexpr Table<T> kTable = {AddNormForward<T>,
                             AddNormBackward<T>,
                             BiasGeluForward<T>,
                             BiasGeluBackward<T>,
                             AttentionForward<T>,
                             AttentionBackward<T>,
                             CrossEntropyRun<T>,
                             ColumnSums<T>,
                             DropoutRun<T>,
                             AddToRun<T>,
                             AdamWRun,
                             MomentumRun,
                             DirectedStepRun,
                             SquareSumRun,
                             ToBf16Run};

}  // namespace quaver::fused::QUAVER_SET

#undef QUAVER_SET
#undef QUAVER_TARGET
#undef QUAVER_AVX512
#undef QUAVER_INLINE
#undef QUAVER_BODY
