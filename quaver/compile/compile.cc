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
    ASSIGN_OR_RETURN(const ModelIdentity identity,
                     IdentifyModel(options_.checkpoint));
    CompileReport report{kind};
    RETURN_IF_ERROR(FindRanges(identity.hash));
    Precisions precisions;
    if (options_.precision != Precision::kFp32) {
      ASSIGN_OR_RETURN(precisions, Choose(&report));
    }
    ASSIGN_OR_RETURN(const auto model, LoadWith(precisions));
    report.products = Products(*model);
    std::map<std::string, std::string> notes = {
        {kPlanModel, identity.name}, {kPlanModelHash, identity.hash}};
    if (options_.calibration.method != ScaleMethod::kDynamic) {
      notes["scales"] = Name(options_.calibration.method);
    }
    if (report.measured) notes["quality_drop"] = std::to_string(report.drop);
    RETURN_IF_ERROR(TuneInto(report.products, &notes));
    RETURN_IF_ERROR(
        WritePlan(*model, options_.checkpoint, notes, options_.plan));
    report.plan_bytes = std::filesystem::file_size(options_.plan);
    report.seconds = static_cast<double>(watch.ElapsedUs()) * 1e-6;
    return report;
  }

 private:
  absl::StatusOr<std::unique_ptr<const Model>> LoadWith(Precisions precisions) {
    precisions.ranges = ranges_;
    return Model::Load(options_.checkpoint, *Isas().front(), precisions);
  }

  std::vector<const Kernels*> Isas() const {
    if (!options_.isas.empty()) return options_.isas;
    return {&BestKernels()};
  }

  absl::Status FindRanges(const std::string& hash) {
    const CalibrationOptions& options = options_.calibration;
    if (options.method == ScaleMethod::kDynamic) return absl::OkStatus();
    if (options_.precision.value_or(Precision::kInt8) != Precision::kInt8) {
      return absl::InvalidArgumentError(
          fmt::format("{} scales are for int8, not for {}",
                      Name(options.method), Name(*options_.precision)));
    }
    Tell("ranges of inputs", 0, 1);
    ASSIGN_OR_RETURN(ranges_, Calibrate(*reference_, hash, options));
    Tell("ranges of inputs", 1, 1);
    return absl::OkStatus();
  }

  // Each table's tactics, as notes of the plan.
  absl::Status TuneInto(const std::vector<Product>& products,
                        std::map<std::string, std::string>* notes) const {
    if (options_.tuning.level == 0) return absl::OkStatus();
    TimingCache own;
    TimingCache* cache =
        options_.timing_cache == nullptr ? &own : options_.timing_cache;
    for (const Kernels* kernels : Isas()) {
      TuningOptions tuning = options_.tuning;
      tuning.progress = [&](int done, int all) {
        Tell(fmt::format("times of products by {}", kernels->name),
             static_cast<size_t>(done), static_cast<size_t>(all));
      };
      ASSIGN_OR_RETURN(const TacticTable table,
                       Tune(*kernels, products, tuning, cache));
      (*notes)[std::string(kPlanTactics) + kernels->name] =
          table.Text(*kernels);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<double> DropOf(const Precisions& precisions) {
    ASSIGN_OR_RETURN(const auto model, LoadWith(precisions));
    return drop_(*reference_, *model);
  }

  void Tell(const std::string& what, size_t done, size_t all) const {
    if (!options_.progress) return;
    options_.progress(what, static_cast<int>(done), static_cast<int>(all));
  }

  absl::StatusOr<Precisions> Choose(CompileReport* report) {
    const Precision wanted = options_.precision.value_or(Precision::kInt8);
    ASSIGN_OR_RETURN(report->drop, DropOfAll(wanted));
    report->measured = true;
    const bool passes = report->drop <= options_.max_drop;
    if (!passes && options_.precision) {
      return absl::FailedPreconditionError(fmt::format(
          "{}: {} costs {:.2f} points of quality, above --max-quality-drop {}; "
          "--precision auto keeps in more precise numbers what costs most",
          options_.checkpoint, Name(wanted), report->drop, options_.max_drop));
    }
    const bool may_search = options_.search != PrecisionSearch::kNever;
    if (options_.search == PrecisionSearch::kAlways ||
        (!passes && may_search)) {
      RETURN_IF_ERROR(Rank(report));
    }
    if (passes) return Precisions{wanted};
    ASSIGN_OR_RETURN(const Remedy remedy, FindRemedy());
    if (may_search) return Restore(remedy, report);
    report->drop = remedy.drop;
    return Precisions{remedy.precision};
  }

  absl::StatusOr<double> DropOfAll(Precision precision) {
    const std::string what = fmt::format("quality of {}", Name(precision));
    Tell(what, 0, 1);
    ASSIGN_OR_RETURN(const double drop, DropOf(Precisions{precision}));
    Tell(what, 1, 1);
    return drop;
  }

  // What products become that cost too much in int8.
  struct Remedy {
    Precision precision = Precision::kFp32;
    double drop = 0;  // of all products in it
  };
  absl::StatusOr<Remedy> FindRemedy() {
    ASSIGN_OR_RETURN(const double drop, DropOfAll(Precision::kBf16));
    return drop <= options_.max_drop ? Remedy{Precision::kBf16, drop}
                                     : Remedy{};
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

  // The worst products leave int8: twice as many each time, until the rest
  // passes.
  absl::StatusOr<Precisions> Restore(const Remedy& remedy,
                                     CompileReport* report) {
    Precisions precisions{Precision::kInt8};
    const std::string what =
        fmt::format("{} for the worst products", Name(remedy.precision));
    const size_t all = report->ranked.size();
    for (size_t kept = 1;; kept = std::min(2 * kept, all)) {
      Tell(what, kept, all);
      for (size_t i = 0; i < kept; ++i) {
        precisions.exceptions[report->ranked[i].product] = remedy.precision;
      }
      if (kept == all) {
        report->drop = remedy.drop;
        return precisions;
      }
      ASSIGN_OR_RETURN(report->drop, DropOf(precisions));
      if (report->drop <= options_.max_drop) return precisions;
    }
  }

  const CompileOptions& options_;
  const QualityDrop<Model>& drop_;
  std::unique_ptr<const Model> reference_;
  std::map<std::string, InputRange> ranges_;  // none: dynamic scales
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
