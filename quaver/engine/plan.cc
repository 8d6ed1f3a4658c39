// See plan.h.
#include "quaver/engine/plan.h"

#include <span>

#include "quaver/artifact/artifact.h"
#include "quaver/artifact/model_files.h"
#include "quaver/engine/internal/bert_folder.h"
#include "quaver/engine/internal/json_file.h"
#include "quaver/engine/internal/plan_names.h"
#include "quaver/engine/internal/plan_parts.h"

namespace quaver {
namespace {

class PlanWriter {
 public:
  PlanWriter(size_t columns, ArtifactWriter* plan)
      : columns_(columns), plan_(*plan) {}

  void Table(const std::string& name, size_t size, const float* floats) {
    Add(name, size, floats);
  }
  void Normalisation(const std::string& name, size_t D, const Norm& norm) {
    Add(name + ".weight", D, norm.weight);
    Add(name + ".bias", D, norm.bias);
  }
  void Weight(const std::string& name, size_t N, size_t K,
              const Linear& linear) {
    if (linear.precision == Precision::kBf16) {
      const size_t columns = Bf16Columns(N);
      Add(name + ".halves", columns * Bf16Stride(K), linear.bf16.halves);
      Add(name + ".bias", columns, linear.bf16.bias);
      return;
    }
    if (linear.precision == Precision::kInt8) {
      const size_t columns = Int8Columns(N);
      Add(name + ".codes", columns * Int8Stride(K), linear.int8.codes);
      Add(name + ".scales", columns, linear.int8.scales);
      Add(name + ".sums", columns, linear.int8.sums);
      Add(name + ".bias", columns, linear.int8.bias);
      const float range[] = {linear.range.low, linear.range.high};
      if (!linear.range.dynamic()) Add(name + ".range", 2, range);
      return;
    }
    const size_t padded = (N + columns_ - 1) / columns_ * columns_;
    Add(name + ".weight", padded * K, linear.weight);
    Add(name + ".bias", N, linear.bias);
  }

 private:
  template <typename T>
  void Add(const std::string& name, size_t size, const T* values) {
    plan_.Add<T>(name, {static_cast<int64_t>(size)}, std::span(values, size));
  }

  size_t columns_;  // of fp32 panels
  ArtifactWriter& plan_;
};

struct ProductLister {
  std::vector<Product> products;

  void Table(const std::string&, size_t, const float*) {}
  void Normalisation(const std::string&, size_t, const Norm&) {}
  void Weight(const std::string& name, size_t N, size_t K,
              const Linear& linear) {
    products.push_back({name, N, K, linear.precision,
                        Bytes(N, K, linear.precision), linear.tactics,
                        linear.range});
  }

 private:
  static size_t Bytes(size_t N, size_t K, Precision precision) {
    switch (precision) {
      case Precision::kBf16:
        return Bf16Columns(N) * (Bf16Stride(K) * 2 + sizeof(float));
      case Precision::kInt8:
        return Int8Columns(N) * (Int8Stride(K) + 3 * sizeof(float));
      default:
        return N * (K + 1) * sizeof(float);
    }
  }
};

template <typename Model, typename Visit>
absl::Status Write(const Model& model, ModelKind kind, const Visit& visit,
                   const std::string& folder,
                   const std::map<std::string, std::string>& notes,
                   const std::string& path) {
  const size_t columns = model.kernels().dense.panel_columns;
  ArtifactWriter plan(kPlanFormat, kPlanVersion);
  for (const auto& [key, value] : notes) plan.SetMetadata(key, value);
  plan.SetMetadata(kPlanKind, std::string(Name(kind)));
  plan.SetMetadata(kPlanColumns, std::to_string(columns));
  RETURN_IF_ERROR(ModelFiles::Carry(folder, &plan));
  PlanWriter writer(columns, &plan);
  visit(model.weights(), writer);
  return plan.WriteTo(path);
}

}  // namespace

absl::StatusOr<ModelKind> ReadModelKind(const std::string& path) {
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(path));
  // A sentence encoder's config.json may lie in a folder of its own.
  if (files.Has("modules.json")) return ModelKind::kEncoder;
  ASSIGN_OR_RETURN(const JsonFile file, ReadJsonObject(files, "config.json"));
  const auto type = file.content.value("model_type", nlohmann::json());
  if (type == "bert") return ModelKind::kEncoder;
  if (type == "bart") return ModelKind::kCorrector;
  return Unsupported(file.path,
                     fmt::format("model_type {}", JsonFile::Dump(type)));
}

std::vector<Product> Products(const BertModel& model) {
  ProductLister lister;
  VisitBert(model.weights(), lister);
  return std::move(lister.products);
}

std::vector<Product> Products(const BartModel& model) {
  ProductLister lister;
  VisitBart(model.weights(), lister);
  return std::move(lister.products);
}

absl::Status WritePlan(const BertModel& model, const std::string& folder,
                       const std::map<std::string, std::string>& notes,
                       const std::string& path) {
  return Write(
      model, ModelKind::kEncoder,
      [](const BertWeights& weights, PlanWriter& writer) {
        VisitBert(weights, writer);
      },
      folder, notes, path);
}

absl::Status WritePlan(const BartModel& model, const std::string& folder,
                       const std::map<std::string, std::string>& notes,
                       const std::string& path) {
  return Write(
      model, ModelKind::kCorrector,
      [](const BartWeights& weights, PlanWriter& writer) {
        VisitBart(weights, writer);
      },
      folder, notes, path);
}

}  // namespace quaver
