// What a model calls its products: a visitor of plan_parts.h.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "quaver/engine/internal/layer_pass.h"
#include "quaver/engine/internal/weights.h"
#include "quaver/engine/product_observer.h"

namespace quaver {

struct ProductNames {
  std::map<const Linear*, std::string> names;

  void Table(const std::string&, size_t, const float*) {}
  void Normalisation(const std::string&, size_t, const Norm&) {}
  void Weight(const std::string& name, size_t, size_t, const Linear& linear) {
    names[&linear] = name;
  }

  LinearObserver Observer(ProductObserver observer) && {
    return [names = std::move(names), observer = std::move(observer)](
               const Linear& linear, const float* x, size_t M) {
      observer(names.at(&linear), x, M);
    };
  }
};

}  // namespace quaver
