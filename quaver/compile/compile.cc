// See compile.h.
#include "quaver/compile/compile.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include "quaver/artifact/checkpoint.h"
#include "quaver/artifact/model_identity.h"
#include "quaver/base/clock.h"

namespace quaver {
namespace {

constexpr float kGreatestWeight = 1e4f;

absl::Status CheckWeights(const std::string& folder) {
  ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::Open(folder));
  for (const std::string& name : checkpoint->Names()) {
    ASSIGN_OR_RETURN(const TensorView view, checkpoint->Find(name));
    if (view.type != DataType::kF32 && view.type != DataType::kF16 &&
        view.type != DataType::kBF16) {
      continue;
    }
    for (const float value : ToFloats(view)) {
      if (std::fabs(value) <= kGreatestWeight) continue;
      return absl::InvalidArgumentError(fmt::format(
          "{}: tensor \"{}\" holds {}; weights are numbers of at most {} in "
          "magnitude",
          folder, name, value, kGreatestWeight));
    }
  }
  return absl::OkStatus();
}

template <typename Model>
class Compiler {
 public:
  Compiler(const CompileOptions& options, const QualityDrop<Model>& drop)
      : options_(options), drop_(drop) {}

  absl::StatusOr<CompileReport> Run(ModelKind kind) {
    const Stopwatch watch;
    RETURN_IF_ERROR(CheckWeights(options_.checkpoint));
    ASSIGN_OR_RETURN(reference_, LoadWith({}));
    CompileReport report{kind};
    Precisions precisions;
    if (options_.precision.value_or(Precision::kInt8) == Precision::kInt8) {
      ASSIGN_OR_RETURN(precisions, Quantise(&report));
    }
    ASSIGN_OR_RETURN(const auto model, LoadWith(precisions));
    report.products = Products(*model);
    ASSIGN_OR_RETURN(const ModelIdentity identity,
                     IdentifyModel(options_.checkpoint));
    std::map<std::string, std::string> notes = {
        {kPlanModel, identity.name}, {kPlanModelHash, identity.hash}};
    if (report.measured) notes["quality_drop"] = std::to_string(report.drop);
    RETURN_IF_ERROR(
        WritePlan(*model, options_.checkpoint, notes, options_.plan));
    report.plan_bytes = std::filesystem::file_size(options_.plan);
    report.seconds = static_cast<double>(watch.ElapsedUs()) * 1e-6;
    return report;
  }

 private:
  absl::StatusOr<std::unique_ptr<const Model>> LoadWith(
      const Precisions& precisions) {
    return Model::Load(options_.checkpoint, BestKernels(), precisions);
  }

  absl::StatusOr<double> DropOf(const Precisions& precisions) {
    ASSIGN_OR_RETURN(const auto model, LoadWith(precisions));
    return drop_(*reference_, *model);
  }

  void Tell(const std::string& what, size_t done, size_t all) const {
    if (!options_.progress) return;
    options_.progress(what, static_cast<int>(done), static_cast<int>(all));
  }

  absl::StatusOr<Precisions> Quantise(CompileReport* report) {
    Precisions precisions{Precision::kInt8};
    Tell("quality of int8", 0, 1);
    ASSIGN_OR_RETURN(report->drop, DropOf(precisions));
    report->measured = true;
    Tell("quality of int8", 1, 1);
    const bool passes = report->drop <= options_.max_drop;
    if (!passes && options_.precision) {
      return absl::FailedPreconditionError(fmt::format(
          "{}: int8 costs {:.2f} points of quality, above --max-quality-drop "
          "{}; --precision auto keeps in fp32 what costs most",
          options_.checkpoint, report->drop, options_.max_drop));
    }
    const PrecisionSearch search = options_.search;
    if (!passes && search == PrecisionSearch::kNever) {
      report->drop = 0;
      return Precisions{};
    }
    if (!passes || search == PrecisionSearch::kAlways) {
      RETURN_IF_ERROR(Rank(report));
    }
    if (!passes) RETURN_IF_ERROR(Restore(&precisions, report));
    return precisions;
  }

  // Each product's drop when it alone is int8.
  absl::Status Rank(CompileReport* report) {
    const std::vector<Product> products = Products(*reference_);
    for (size_t i = 0; i < products.size(); ++i) {
      Tell("quality of each product in int8", i, products.size());
      Precisions alone;
      alone.exceptions[products[i].name] = Precision::kInt8;
      ASSIGN_OR_RETURN(const double drop, DropOf(alone));
      report->ranked.push_back({products[i].name, drop});
    }
    Tell("quality of each product in int8", products.size(), products.size());
    std::stable_sort(report->ranked.begin(), report->ranked.end(),
                     [](const ProductDrop& a, const ProductDrop& b) {
                       return a.drop > b.drop;
                     });
    return absl::OkStatus();
  }

  // Puts the worst products back to fp32: twice as many each time, until the
  // rest passes.
  absl::Status Restore(Precisions* precisions, CompileReport* report) {
    const size_t all = report->ranked.size();
    for (size_t kept = 1;; kept = std::min(2 * kept, all)) {
      Tell("fp32 for the worst products", kept, all);
      for (size_t i = 0; i < kept; ++i) {
        precisions->exceptions[report->ranked[i].product] = Precision::kFp32;
      }
      if (kept == all) {
        report->drop = 0;
        return absl::OkStatus();
      }
      ASSIGN_OR_RETURN(report->drop, DropOf(*precisions));
      if (report->drop <= options_.max_drop) return absl::OkStatus();
    }
  }

  const CompileOptions& options_;
  const QualityDrop<Model>& drop_;
  std::unique_ptr<const Model> reference_;
};

}  // namespace

absl::StatusOr<CompileReport> CompileEncoder(
    const CompileOptions& options, const QualityDrop<BertModel>& drop) {
  return Compiler<BertModel>(options, drop).Run(ModelKind::kEncoder);
}

absl::StatusOr<CompileReport> CompileCorrector(
    const CompileOptions& options, const QualityDrop<BartModel>& drop) {
  return Compiler<BartModel>(options, drop).Run(ModelKind::kCorrector);
}

}  // namespace quaver
