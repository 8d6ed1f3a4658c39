// How far a model's products are from fp32's, one by one.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/compile/text_reader.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
#include "quaver/engine/precision.h"

namespace quaver {

// How far a product's outputs are from fp32's, relative root mean squares: of
// the errors, to fp32's values.
struct ProductError {
  std::string product;
  Precision precision = Precision::kFp32;  // of the model's
  size_t rows = 0;                         // that were compared
  double own = 0;           // when it reads what fp32 reads: its own doing
  double least_cosine = 1;  // of a row of those outputs with fp32's
  double whole = 0;  // when the whole model runs: also that of all before it
};

// In the model's order. A corrector reads each text as its own correction, in
// one pass. InvalidArgument when there are no texts, a text has none or too
// many tokens, or the models do not have the same products.
absl::StatusOr<std::vector<ProductError>> VerifyEncoder(
    const BertModel& fp32, const BertModel& model, const TokenLists& texts);
absl::StatusOr<std::vector<ProductError>> VerifyCorrector(
    const BartModel& fp32, const BartModel& model, const TokenLists& texts);

}  // namespace quaver
