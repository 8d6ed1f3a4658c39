// See calibration.h.
#include "quaver/compile/calibration.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "quaver/base/file.h"
#include "quaver/compile/input_histogram.h"
#include "quaver/engine/plan.h"

namespace quaver {
namespace {

constexpr std::string_view kHeading = "# quaver calibration 1";
constexpr std::string_view kModel = "model ", kMethod = "method ";

std::string MethodText(const CalibrationOptions& options) {
  const std::string_view name = Name(options.method);
  return options.method == ScaleMethod::kPercentile
             ? fmt::format("{} {}", name, options.percentile)
             : std::string(name);
}

bool ParseFloat(std::string_view text, float* value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stop == end && std::isfinite(*value);
}

// Whether a line is a product's, which then has a range.
bool ParseProduct(std::string_view line, Calibration* calibration) {
  const size_t first = line.find('\t');
  if (first == 0 || first == std::string_view::npos) return false;
  const size_t second = line.find('\t', first + 1);
  if (second == std::string_view::npos) return false;
  InputRange range;
  if (!ParseFloat(line.substr(first + 1, second - first - 1), &range.low) ||
      !ParseFloat(line.substr(second + 1), &range.high) || range.low > 0 ||
      range.high < 0) {
    return false;
  }
  return calibration->ranges.emplace(line.substr(0, first), range).second;
}

bool ParseLine(std::string_view line, size_t number, Calibration* calibration) {
  if (number == 1) return line == kHeading;
  const std::string_view key = number == 2 ? kModel : kMethod;
  if (number > 3) return ParseProduct(line, calibration);
  if (!line.starts_with(key)) return false;
  (number == 2 ? calibration->model : calibration->method) =
      line.substr(key.size());
  return true;
}

absl::Status CheckTexts(const TokenLists& texts, size_t max_tokens) {
  if (texts.empty()) {
    return absl::FailedPreconditionError("there are no texts to calibrate on");
  }
  return CheckLengths(texts, max_tokens, "calibrate on");
}

absl::Status CheckCache(const Calibration& found, const std::string& path,
                        const std::string& model, const std::string& method,
                        const std::vector<Product>& products) {
  if (found.model != model) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: was found for the model {}, not for {}; name another file", path,
        found.model, model));
  }
  if (found.method != method) {
    return absl::FailedPreconditionError(
        fmt::format("{}: was found by {}, not by {}; name another file", path,
                    found.method, method));
  }
  for (const Product& product : products) {
    if (found.ranges.contains(product.name)) continue;
    return absl::FailedPreconditionError(
        fmt::format("{}: lacks {}; remove the file and it is made anew", path,
                    product.name));
  }
  return absl::OkStatus();
}

using Ranges = std::map<std::string, InputRange>;

InputRange Choose(const InputHistogram& histogram,
                  const CalibrationOptions& options) {
  switch (options.method) {
    case ScaleMethod::kPercentile:
      return PercentileRange(histogram, options.percentile);
    case ScaleMethod::kEntropy:
      return EntropyRange(histogram);
    default:
      return MinMaxRange(histogram);
  }
}

template <typename Reader, typename Model>
absl::StatusOr<Ranges> Measure(const Model& model,
                               const std::vector<Product>& products,
                               const CalibrationOptions& options) {
  RETURN_IF_ERROR(CheckTexts(options.texts, Reader::MaxTokens(model)));
  size_t max_tokens = 0;
  for (const auto& ids : options.texts) {
    max_tokens = std::max(max_tokens, ids.size());
  }
  std::map<std::string, size_t> widths;
  for (const Product& product : products) widths[product.name] = product.K;
  Reader reader(model, max_tokens);
  Ranges ranges;
  std::string none;  // a product that reads what is no number
  for (const auto& ids : options.texts) {
    reader.Read(ids, [&](const std::string& name, const float* x, size_t M) {
      InputRange& range = ranges[name];
      for (const float value : std::span(x, M * widths.at(name))) {
        if (!std::isfinite(value)) none = name;
        range.low = std::min(range.low, value);
        range.high = std::max(range.high, value);
      }
    });
  }
  if (!none.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{} reads values that are no numbers", none));
  }
  if (options.method == ScaleMethod::kMinMax) return ranges;
  std::map<std::string, InputHistogram> histograms;
  for (const auto& [name, range] : ranges) {
    histograms.emplace(name, InputHistogram(range.low, range.high));
  }
  for (const auto& ids : options.texts) {
    reader.Read(ids, [&](const std::string& name, const float* x, size_t M) {
      histograms.at(name).Add(std::span(x, M * widths.at(name)));
    });
  }
  for (auto& [name, range] : ranges) {
    range = Choose(histograms.at(name), options);
  }
  return ranges;
}

template <typename Reader, typename Model>
absl::StatusOr<Ranges> Find(const Model& model, const std::string& hash,
                            const CalibrationOptions& options) {
  if (options.method == ScaleMethod::kDynamic) return Ranges{};
  const std::vector<Product> products = Products(model);
  const std::string method = MethodText(options);
  if (!options.cache.empty()) {
    const auto text = ReadFile(options.cache);
    if (text.ok()) {
      ASSIGN_OR_RETURN(Calibration found,
                       ParseCalibration(*text, options.cache));
      RETURN_IF_ERROR(CheckCache(found, options.cache, hash, method, products));
      return std::move(found.ranges);
    }
    if (!absl::IsNotFound(text.status())) return text.status();
  }
  ASSIGN_OR_RETURN(Ranges ranges, Measure<Reader>(model, products, options));
  if (!options.cache.empty()) {
    RETURN_IF_ERROR(
        WriteFileAtomically(options.cache, ToText({hash, method, ranges})));
  }
  return ranges;
}

}  // namespace

std::string_view Name(ScaleMethod method) {
  switch (method) {
    case ScaleMethod::kMinMax:
      return "min-max";
    case ScaleMethod::kPercentile:
      return "percentile";
    case ScaleMethod::kEntropy:
      return "entropy";
    default:
      return "dynamic";
  }
}

std::string ToText(const Calibration& calibration) {
  std::string text =
      fmt::format("{}\n{}{}\n{}{}\n", kHeading, kModel, calibration.model,
                  kMethod, calibration.method);
  for (const auto& [product, range] : calibration.ranges) {
    text += fmt::format("{}\t{}\t{}\n", product, range.low, range.high);
  }
  return text;
}

absl::StatusOr<Calibration> ParseCalibration(const std::string& text,
                                             const std::string& name) {
  Calibration calibration;
  std::string_view rest = text;
  size_t number = 0;
  while (!rest.empty() || number < 3) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (ParseLine(line, ++number, &calibration)) continue;
    return absl::InvalidArgumentError(fmt::format(
        "{}: line {} is none of a calibration; remove the file and it is made "
        "anew",
        name, number));
  }
  return calibration;
}

absl::StatusOr<Ranges> Calibrate(const BertModel& model,
                                 const std::string& hash,
                                 const CalibrationOptions& options) {
  return Find<EncoderReader>(model, hash, options);
}

absl::StatusOr<Ranges> Calibrate(const BartModel& model,
                                 const std::string& hash,
                                 const CalibrationOptions& options) {
  return Find<CorrectorReader>(model, hash, options);
}

}  // namespace quaver
