// Plans: a model packed for products, in one mapped file (artifact.h).
//
//   ASSIGN_OR_RETURN(auto model, BertModel::Load(folder, BestKernels(),
//                                                {Precision::kInt8}));
//   RETURN_IF_ERROR(WritePlan(*model, folder, {}, "minilm.plan"));
//
// A plan runs on every table: int8 and bf16 products have one layout, fp32 ones
// are packed anew where the table's panels have another width, which is logged.
// It carries the small files of its folder, so that it stands for the folder.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
#include "quaver/engine/precision.h"
#include "quaver/engine/tactics.h"

namespace quaver {

enum class ModelKind { kEncoder, kCorrector };

constexpr std::string_view Name(ModelKind kind) {
  return kind == ModelKind::kEncoder ? "encoder" : "corrector";
}

// Of a folder or a plan. Unimplemented, naming file and model_type, for what is
// neither BERT nor BART.
absl::StatusOr<ModelKind> ReadModelKind(const std::string& path);

struct Product {
  std::string name;  // "encoder.0.qkv"
  size_t N = 0;      // outputs
  size_t K = 0;      // inputs
  Precision precision = Precision::kFp32;
  size_t bytes = 0;    // of weights, scales and bias
  RowTactics tactics;  // how the model's table computes it
  InputRange range;    // of an int8 product
};

// A model's products.
std::vector<Product> Products(const BertModel& model);
std::vector<Product> Products(const BartModel& model);

// Writes the model as it was loaded from `folder`, with that folder's small
// files and `notes` among its metadata; the same model gives the same bytes.
// Atomic.
absl::Status WritePlan(const BertModel& model, const std::string& folder,
                       const std::map<std::string, std::string>& notes,
                       const std::string& path);
absl::Status WritePlan(const BartModel& model, const std::string& folder,
                       const std::map<std::string, std::string>& notes,
                       const std::string& path);

}  // namespace quaver
