// See product_replay.h.
#include "quaver/engine/product_replay.h"

#include <algorithm>
#include <map>

#include "quaver/engine/internal/layer_pass.h"
#include "quaver/engine/internal/plan_parts.h"
#include "quaver/engine/internal/product_names.h"

namespace quaver {
namespace {

std::map<std::string, const Linear*> ByName(const ProductNames& names) {
  std::map<std::string, const Linear*> linears;
  for (const auto& [linear, name] : names.names) linears[name] = linear;
  return linears;
}

size_t MostInputs(const std::map<std::string, const Linear*>& linears) {
  size_t most = 0;
  for (const auto& [name, linear] : linears) most = std::max(most, linear->K);
  return most;
}

}  // namespace

struct ProductReplay::Parts {
  const Kernels& kernels;
  std::map<std::string, const Linear*> linears;
  LayerBuffers buffers;

  Parts(const Kernels& table, const ProductNames& names, size_t max_rows)
      : kernels(table),
        linears(ByName(names)),
        buffers({.M = max_rows, .D = 1, .inner = MostInputs(linears)}, {}) {}
};

ProductReplay::ProductReplay(const BertModel& model, size_t max_rows) {
  ProductNames names;
  VisitBert(model.weights(), names);
  parts_ = std::make_unique<Parts>(model.kernels(), names, max_rows);
}
ProductReplay::ProductReplay(const BartModel& model, size_t max_rows) {
  ProductNames names;
  VisitBart(model.weights(), names);
  parts_ = std::make_unique<Parts>(model.kernels(), names, max_rows);
}
ProductReplay::~ProductReplay() = default;

void ProductReplay::Run(const std::string& product, const float* x, size_t M,
                        float* y) {
  const Team::Call call(*parts_->buffers.team);
  const LayerPass pass{parts_->kernels, parts_->buffers, M, 1, 0};
  pass.Apply(*parts_->linears.at(product), x, Epilogue::kBias, nullptr, y);
}

}  // namespace quaver
