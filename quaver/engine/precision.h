// How a model's products are computed.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace quaver {

enum class Precision {
  kFp32,
  kInt8,  // weights scaled per output, activations per row (kernels/int8.h)
};

constexpr std::string_view Name(Precision precision) {
  return precision == Precision::kInt8 ? "int8" : "fp32";
}

// Norms, softmax, sums of attention and logits are fp32 always.
struct Precisions {
  Precision standard = Precision::kFp32;
  // By the product's name, as Products of plan.h lists them.
  std::map<std::string, Precision> exceptions;

  Precision Of(const std::string& product) const {
    const auto found = exceptions.find(product);
    return found == exceptions.end() ? standard : found->second;
  }
};

}  // namespace quaver
