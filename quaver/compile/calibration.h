// Fixed scales for the inputs of int8 products, found on texts.
//
//   CalibrationOptions options{.method = ScaleMethod::kEntropy, .texts = ...};
//   ASSIGN_OR_RETURN(precisions.ranges, Calibrate(*fp32, hash, options));
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "quaver/base/status.h"
#include "quaver/compile/text_reader.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
#include "quaver/engine/precision.h"

namespace quaver {

enum class ScaleMethod {
  kDynamic,     // each row between its own least and greatest value
  kMinMax,      // the rest: every row between two values of all that was seen
  kPercentile,  // (input_histogram.h)
  kEntropy,
};

inline constexpr ScaleMethod kScaleMethods[] = {
    ScaleMethod::kDynamic, ScaleMethod::kMinMax, ScaleMethod::kPercentile,
    ScaleMethod::kEntropy};

std::string_view Name(ScaleMethod method);  // "dynamic", "min-max", ...

struct CalibrationOptions {
  ScaleMethod method = ScaleMethod::kDynamic;
  double percentile = 99.99;  // kPercentile's
  TokenLists texts;           // what the model will be asked
  // A file that keeps what was found: read when it is there, else written.
  // Empty: none.
  std::string cache;
};

// What was found, as a cache holds it: text, one line a product.
struct Calibration {
  std::string model;                         // ModelIdentity's hash
  std::string method;                        // "entropy", "percentile 99.99"
  std::map<std::string, InputRange> ranges;  // by product
};

// "# quaver calibration 1", "model HASH", "method METHOD", then lines of a
// product's name, low and high with tabs between, in the order of names.
std::string ToText(const Calibration& calibration);
// Whatever ToText writes, bit for bit. InvalidArgument, naming `name` and line.
absl::StatusOr<Calibration> ParseCalibration(const std::string& text,
                                             const std::string& name);

// The ranges of all products of an fp32 model whose hash is `hash`; none for
// kDynamic. Runs each text once, and once more where a histogram is needed.
// FailedPrecondition when the cache is of another model or method, lacks a
// product, or there is neither a cache nor a text; InvalidArgument when a text
// has no or too many tokens, or a product reads what is no number.
absl::StatusOr<std::map<std::string, InputRange>> Calibrate(
    const BertModel& model, const std::string& hash,
    const CalibrationOptions& options);
absl::StatusOr<std::map<std::string, InputRange>> Calibrate(
    const BartModel& model, const std::string& hash,
    const CalibrationOptions& options);

}  // namespace quaver
