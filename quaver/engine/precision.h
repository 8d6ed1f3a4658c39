// How a model's products are computed.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace quaver {

enum class Precision {
  kFp32,
  kBf16,  // weights and activations rounded (kernels/bf16.h)
  kInt8,  // weights scaled per output, activations per row (kernels/int8.h)
};

inline constexpr Precision kPrecisions[] = {Precision::kFp32, Precision::kBf16,
                                            Precision::kInt8};

constexpr std::string_view Name(Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
    default:
      return "fp32";
  }
}

// Between what a product's inputs are quantised; values beyond get the code of
// the nearest end.
struct InputRange {
  float low = 0;   // at most 0
  float high = 0;  // at least 0

  // Then each row has a range of its own: no value is beyond it.
  bool dynamic() const { return !(low < high); }
};

// Norms, softmax, sums of attention and logits are fp32 always.
struct Precisions {
  Precision standard = Precision::kFp32;
  // By the product's name, as Products of plan.h lists them.
  std::map<std::string, Precision> exceptions;

  Precision Of(const std::string& product) const {
    const auto found = exceptions.find(product);
    return found == exceptions.end() ? standard : found->second;
  }

  // Of int8 products, by name; dynamic where there is none.
  std::map<std::string, InputRange> ranges;

  InputRange RangeOf(const std::string& product) const {
    const auto found = ranges.find(product);
    return found == ranges.end() ? InputRange{} : found->second;
  }
};

}  // namespace quaver
