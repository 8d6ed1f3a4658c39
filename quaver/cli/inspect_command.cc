// quaver inspect: what a plan holds, and how long its products take.
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/artifact/model_files.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/product_json.h"
#include "quaver/compile/roofline.h"
#include "quaver/engine/plan.h"
#include "quaver/engine/tactics.h"
#include "quaver/eval/table.h"

namespace quaver {
namespace {

struct InspectArguments {
  std::string path;
  std::string timing_cache;
  size_t rows = 11;  // of a product: a short query's tokens
  bool measure = false;
  bool as_json = false;
};

struct Limits {
  GemmLimits values;
  bool measured = false;  // else of the timing cache
};

// What is told of a product beyond what it is.
struct Times {
  double predicted_us = 0;
  double measured_us = 0;  // 0: was not
};

struct Inspection {
  ModelKind kind = ModelKind::kEncoder;
  std::vector<Product> products;
  std::map<std::string, std::string> metadata;
  bool is_plan = false;
  Limits limits;
  std::vector<Times> times;  // of each product
};

absl::StatusOr<std::vector<Product>> LoadProducts(const std::string& path,
                                                  ModelKind kind) {
  if (kind == ModelKind::kEncoder) {
    ASSIGN_OR_RETURN(const auto model, BertModel::Load(path, BestKernels()));
    return Products(*model);
  }
  ASSIGN_OR_RETURN(const auto model, BartModel::Load(path, BestKernels()));
  return Products(*model);
}

absl::StatusOr<Limits> FindLimits(const std::string& timing_cache,
                                  const std::vector<Product>& products) {
  if (!timing_cache.empty()) {
    ASSIGN_OR_RETURN(const TimingCache cache, TimingCache::Read(timing_cache));
    const auto found = LimitsOf(cache, ProcessorKey(), products);
    if (found) return Limits{*found, false};
  }
  return Limits{MeasureLimits(BestKernels(), products), true};
}

// Microseconds of the way that each product goes at `rows`; a shape is measured
// once.
std::vector<double> Measure(const std::vector<Product>& products, size_t rows) {
  constexpr int kRounds = 5;
  std::map<ProductShape, std::vector<double>> measured;
  std::vector<double> times;
  for (const Product& product : products) {
    std::vector<double>& us =
        measured[{product.precision, product.N, product.K}];
    if (us.empty()) {
      us = MeasureTactics(BestKernels(),
                          {rows, product.N, product.K, product.precision},
                          kRounds);
    }
    times.push_back(us[product.tactics.For(rows)]);
  }
  return times;
}

absl::StatusOr<Inspection> Look(const InspectArguments& given) {
  Inspection found;
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(given.path));
  ASSIGN_OR_RETURN(found.kind, ReadModelKind(given.path));
  ASSIGN_OR_RETURN(found.products, LoadProducts(given.path, found.kind));
  found.is_plan = files.plan() != nullptr;
  if (found.is_plan) found.metadata = files.plan()->metadata();
  ASSIGN_OR_RETURN(found.limits,
                   FindLimits(given.timing_cache, found.products));
  for (const Product& product : found.products) {
    found.times.push_back(
        {PredictedUs(product, given.rows, found.limits.values), 0});
  }
  if (given.measure) {
    const auto us = Measure(found.products, given.rows);
    for (size_t i = 0; i < us.size(); ++i) found.times[i].measured_us = us[i];
  }
  return found;
}

size_t BytesOf(const std::vector<Product>& products) {
  size_t bytes = 0;
  for (const Product& product : products) bytes += product.bytes;
  return bytes;
}

void PrintJson(const InspectArguments& given, const Inspection& found) {
  auto products = nlohmann::json::array();
  for (size_t i = 0; i < found.products.size(); ++i) {
    nlohmann::json product = ToJson(found.products[i]);
    const Times& times = found.times[i];
    product["kernel"] = TacticAt(found.products[i], given.rows);
    product["tactics"] = TacticsJson(found.products[i]);
    product["predicted_us"] = times.predicted_us;
    product["measured_us"] =
        given.measure ? nlohmann::json(times.measured_us) : nullptr;
    products.push_back(std::move(product));
  }
  auto peaks = nlohmann::json::object();
  for (const Precision precision : kPrecisions) {
    const double gops =
        found.limits.values.gops[static_cast<size_t>(precision)];
    if (gops > 0) peaks[std::string(Name(precision)) + "_gops"] = gops;
  }
  peaks["gbytes_per_s"] = found.limits.values.gbytes;
  peaks["from"] = found.limits.measured ? "measured" : "timing cache";
  nlohmann::json line = {
      {"path", given.path},        {"kind", Name(found.kind)},
      {"isa", BestKernels().name}, {"processor", ProcessorKey()},
      {"rows", given.rows},        {"peaks", peaks},
      {"products", products},      {"product_bytes", BytesOf(found.products)}};
  if (found.is_plan) line["metadata"] = found.metadata;
  std::cout << line.dump() << "\n";
}

// "int8 1152x384: avx512_vnni.far to 8 rows, amx"; one line a shape that does
// not go the standard way throughout.
void PrintTactics(const std::vector<Product>& products) {
  std::map<ProductShape, std::string> lines;
  for (const Product& product : products) {
    if (product.tactics == RowTactics{}) continue;
    lines[{product.precision, product.N, product.K}] = TacticsText(product);
  }
  for (const auto& [shape, text] : lines) {
    std::cout << fmt::format("{} {}x{}: {}\n", Name(shape.precision), shape.N,
                             shape.K, text);
  }
}

void PrintTable(const InspectArguments& given, const Inspection& found) {
  std::vector<std::vector<std::string>> rows = {
      {"product", "outputs", "inputs", "precision", "kernel", "bytes",
       "predicted us", "measured us"}};
  double predicted = 0, measured = 0;
  for (size_t i = 0; i < found.products.size(); ++i) {
    const Product& product = found.products[i];
    const Times& times = found.times[i];
    predicted += times.predicted_us;
    measured += times.measured_us;
    rows.push_back(
        {product.name, std::to_string(product.N), std::to_string(product.K),
         std::string(Name(product.precision)), TacticAt(product, given.rows),
         std::to_string(product.bytes),
         fmt::format("{:.1f}", times.predicted_us),
         given.measure ? fmt::format("{:.1f}", times.measured_us) : ""});
  }
  std::cout << MarkdownTable(rows);
  PrintTactics(found.products);
  std::cout << fmt::format("{}: {}, {:.1f} MB of products, computed by {}\n",
                           given.path, Name(found.kind),
                           static_cast<double>(BytesOf(found.products)) * 1e-6,
                           BestKernels().name);
  std::string peaks;
  for (const Precision precision : kPrecisions) {
    const double gops =
        found.limits.values.gops[static_cast<size_t>(precision)];
    if (gops > 0) {
      peaks += fmt::format("{:.0f} GOP/s in {}, ", gops, Name(precision));
    }
  }
  std::cout << fmt::format(
      "{} rows of each: {:.0f} us predicted{}; one core's limits, {}: {}{:.0f} "
      "GB/s\n",
      given.rows, predicted,
      given.measure ? fmt::format(", {:.0f} us measured", measured) : "",
      found.limits.measured ? "measured now" : "of the timing cache", peaks,
      found.limits.values.gbytes);
}

absl::Status Inspect(const InspectArguments& given) {
  ASSIGN_OR_RETURN(const Inspection found, Look(given));
  if (given.as_json) {
    PrintJson(given, found);
  } else {
    PrintTable(given, found);
  }
  return absl::OkStatus();
}

}  // namespace

void AddInspectCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "inspect", "List the products of a plan or a checkpoint");
  const auto given = std::make_shared<InspectArguments>();
  command->add_option("plan", given->path, "A plan, or a checkpoint's folder")
      ->required();
  constexpr int kMostRows = 512;
  command
      ->add_option("--rows", given->rows, "Tokens that products are timed with")
      ->check(CLI::Range(1, kMostRows))
      ->capture_default_str();
  command->add_flag("--measure", given->measure,
                    "Time each shape by itself, its weights not in the "
                    "second-level cache, beside what the machine's limits "
                    "predict");
  command->add_option("--timing-cache", given->timing_cache,
                      "File of `quaver compile` to take the limits from, where "
                      "it knows this processor; else they are measured");
  command->add_flag("--json", given->as_json, "One JSON line");
  command->callback(
      [&action, given] { action = [given] { return Inspect(*given); }; });
}

}  // namespace quaver
