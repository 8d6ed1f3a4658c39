// Chooses each product's precision and writes the plan.
//
//   CompileOptions options{.checkpoint = "models/corrector",
//                          .plan = "corrector.plan"};
//   ASSIGN_OR_RETURN(CompileReport report,
//                    CompileCorrector(options, TokenDisagreement(...)));
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/compile/calibration.h"
#include "quaver/compile/timing_cache.h"
#include "quaver/compile/tuning.h"
#include "quaver/engine/plan.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

// How much worse, in points (hundredths of whatever measure), `candidate` is
// than the fp32 model; below 0 when it is better.
template <typename Model>
using QualityDrop = std::function<absl::StatusOr<double>(
    const Model& reference, const Model& candidate)>;

// When every product's own drop is measured, which costs the quality measure
// once a product.
enum class PrecisionSearch {
  kNever,       // a model is in one precision wholly
  kWhenNeeded,  // when the drop of all products together is too great
  kAlways,
};

struct CompileOptions {
  std::string checkpoint;  // a Hugging Face folder
  std::string plan;        // written, atomically
  // Absent: int8 where quality allows. When all products in int8 cost more than
  // max_drop, those that cost most leave it: for bf16, when all products in
  // bf16 cost at most max_drop; else for fp32.
  std::optional<Precision> precision;
  double max_drop = 0.5;  // points
  PrecisionSearch search = PrecisionSearch::kWhenNeeded;
  // How the inputs of int8 products are scaled. Quality is measured, and
  // judged, with these scales.
  CalibrationOptions calibration;
  // Told what begins: "quality of int8", and how much of it is done of how
  // much.
  std::function<void(const std::string& what, int done, int all)> progress;

  // Tables to tune for, of this machine; the first one computes the quality
  // and packs fp32 products. BestKernels() when empty.
  std::vector<const Kernels*> isas;
  TuningOptions tuning = {.level = 0};
  TimingCache* timing_cache = nullptr;  // read and added to; may be null
};

// A product's drop when it alone is int8.
struct ProductDrop {
  std::string product;
  double drop = 0;
};

struct CompileReport {
  ModelKind kind = ModelKind::kEncoder;
  std::vector<Product> products;    // of the plan
  double drop = 0;                  // of the plan, points
  bool measured = false;            // whether `drop` was
  std::vector<ProductDrop> ranked;  // worst first; empty without a search
  uint64_t plan_bytes = 0;
  double seconds = 0;
};

// InvalidArgument, naming the tensor, for a weight that is no number or above
// 1e4 in magnitude; FailedPrecondition when a precision was asked for and its
// drop is above max_drop; InvalidArgument for fixed scales where the precision
// asked for is not int8; else as Load's, Calibrate's, Tune's and WritePlan's.
// Costs the quality measure once; once more when int8 costs too much, and once
// a product in a search.
absl::StatusOr<CompileReport> CompileEncoder(
    const CompileOptions& options, const QualityDrop<BertModel>& drop);
absl::StatusOr<CompileReport> CompileCorrector(
    const CompileOptions& options, const QualityDrop<BartModel>& drop);

}  // namespace quaver
