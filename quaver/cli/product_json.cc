// See product_json.h.
#include "quaver/cli/product_json.h"

#include <vector>

#include <fmt/format.h>

#include "quaver/engine/tactics.h"

namespace quaver {
namespace {

// Null where each row has its own.
nlohmann::json RangeOf(const Product& product) {
  if (product.range.dynamic()) return nullptr;
  return {product.range.low, product.range.high};
}

// Neighbouring buckets that go the same way.
struct Stretch {
  size_t rows = 0;  // the most
  std::string tactic;
};

std::vector<Stretch> StretchesOf(const Product& product) {
  std::vector<Stretch> stretches;
  for (size_t bucket = 0; bucket < kRowBuckets; ++bucket) {
    const size_t M = BucketRows(bucket);
    const std::string tactic = TacticAt(product, M);
    if (stretches.empty() || stretches.back().tactic != tactic) {
      stretches.push_back({M, tactic});
    }
    stretches.back().rows = M;
  }
  return stretches;
}

}  // namespace

nlohmann::json ToJson(const Product& product) {
  return {{"name", product.name},      {"outputs", product.N},
          {"inputs", product.K},       {"precision", Name(product.precision)},
          {"range", RangeOf(product)}, {"bytes", product.bytes}};
}

nlohmann::json ToJson(const CallStep& step) {
  const std::string kernel = KernelOf(BestKernels(), step);
  return {
      {"name", step.name},
      {"kind", Name(step.kind)},
      {"rows", step.M},
      {"outputs", step.N},
      {"inputs", step.K},
      {"precision", Name(step.precision)},
      {"kernel", kernel.empty() ? nlohmann::json() : nlohmann::json(kernel)},
      {"bytes", step.bytes}};
}

std::string TacticAt(const Product& product, size_t M) {
  return TacticNames(BestKernels(), product.precision)[product.tactics.For(M)];
}

nlohmann::json TacticsJson(const Product& product) {
  auto list = nlohmann::json::array();
  for (const Stretch& one : StretchesOf(product)) {
    list.push_back({{"rows", one.rows}, {"tactic", one.tactic}});
  }
  return list;
}

std::string TacticsText(const Product& product) {
  const std::vector<Stretch> stretches = StretchesOf(product);
  std::string text;
  for (size_t i = 0; i + 1 < stretches.size(); ++i) {
    text +=
        fmt::format("{} to {} rows, ", stretches[i].tactic, stretches[i].rows);
  }
  return text + stretches.back().tactic;
}

}  // namespace quaver
