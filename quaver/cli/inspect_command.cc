// quaver inspect: what a plan holds, and how long the steps of a call take.
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/artifact/model_files.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/product_json.h"
#include "quaver/compile/roofline.h"
#include "quaver/engine/bench.h"
#include "quaver/engine/call_steps.h"
#include "quaver/engine/generation.h"
#include "quaver/engine/plan.h"
#include "quaver/engine/tactics.h"
#include "quaver/eval/table.h"

namespace quaver {
namespace {

struct InspectArguments {
  std::string path;
  std::string timing_cache;
  size_t rows = 11;  // of every step: a short query's tokens
  bool measure = false;
  bool as_json = false;
};

struct Limits {
  GemmLimits values;
  bool measured = false;  // else of the timing cache
};

// What is told of a step beyond what it is; what is not known is absent.
struct Times {
  std::optional<double> predicted_us, measured_us;
};

struct Inspection {
  ModelKind kind = ModelKind::kEncoder;
  std::vector<Product> products;
  std::vector<CallStep> steps;
  std::vector<Times> times;       // of each step
  Times all;                      // what is known of the steps, summed
  std::optional<double> call_us;  // an encoder's call, measured as a whole
  size_t arena_bytes = 0;         // that one instance takes for such a call
  std::map<std::string, std::string> metadata;
  bool is_plan = false;
  Limits limits;
};

absl::Status CheckRows(size_t rows, int max_positions) {
  if (rows <= static_cast<size_t>(max_positions)) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "--rows {}: the model has {} positions", rows, max_positions));
}

// Median microseconds of a call with one sentence.
absl::StatusOr<double> MeasureCall(const BertModel& model, size_t rows) {
  EncoderBenchConfig config;
  config.tokens = static_cast<int>(rows);
  config.num_iterations = 100;
  ASSIGN_OR_RETURN(const EncoderBenchResult result,
                   BenchEncoder(model, config));
  return result.p50_ms * 1e3;
}

absl::Status LookAtEncoder(const InspectArguments& given, Inspection* found) {
  const Kernels& kernels = BestKernels();
  ASSIGN_OR_RETURN(const auto model, BertModel::Load(given.path, kernels));
  RETURN_IF_ERROR(CheckRows(given.rows, model->config().max_positions));
  found->products = Products(*model);
  found->steps = CallSteps(*model, given.rows);
  found->arena_bytes =
      BertWorkspace::Bytes(model->config(), kernels, given.rows);
  if (given.measure) {
    ASSIGN_OR_RETURN(found->call_us, MeasureCall(*model, given.rows));
  }
  return absl::OkStatus();
}

absl::Status LookAtCorrector(const InspectArguments& given, Inspection* found) {
  const Kernels& kernels = BestKernels();
  ASSIGN_OR_RETURN(const auto model, BartModel::Load(given.path, kernels));
  RETURN_IF_ERROR(CheckRows(given.rows, model->config().max_positions));
  found->products = Products(*model);
  found->steps = CallSteps(*model, given.rows);
  const int rows = static_cast<int>(given.rows);
  const GeneratorLimits limits = {.max_requests = 1,
                                  .max_source_tokens = rows,
                                  .max_target_tokens = rows,
                                  .max_rows = rows,
                                  .max_draft_tokens = rows};
  found->arena_bytes = Generator::Bytes(model->config(), kernels, limits);
  return absl::OkStatus();
}

absl::StatusOr<Limits> FindLimits(const std::string& timing_cache,
                                  const std::vector<Product>& products) {
  if (!timing_cache.empty()) {
    ASSIGN_OR_RETURN(const TimingCache cache, TimingCache::Read(timing_cache));
    const auto found = LimitsOf(cache, ProcessorKey(), products);
    if (found) return Limits{*found, false};
  }
  std::vector<Product> all = products;
  all.push_back({.name = "attention", .precision = Precision::kFp32});
  return Limits{MeasureLimits(BestKernels(), all), true};
}

// Microseconds of each step; those of one shape are measured once.
std::vector<std::optional<double>> Measure(const std::vector<CallStep>& steps) {
  constexpr int kRounds = 5;
  using Shape = std::tuple<std::string, Precision, size_t, size_t>;
  std::map<Shape, std::optional<double>> measured;
  std::vector<std::optional<double>> times;
  for (const CallStep& step : steps) {
    const Shape shape = {KernelOf(BestKernels(), step), step.precision, step.N,
                         step.K};
    const auto [entry, is_new] = measured.try_emplace(shape);
    if (is_new) entry->second = MeasureStep(BestKernels(), step, kRounds);
    times.push_back(entry->second);
  }
  return times;
}

void AddTo(std::optional<double>* sum, const std::optional<double>& us) {
  if (us) *sum = sum->value_or(0) + *us;
}

absl::StatusOr<Inspection> Look(const InspectArguments& given) {
  Inspection found;
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(given.path));
  ASSIGN_OR_RETURN(found.kind, ReadModelKind(given.path));
  RETURN_IF_ERROR(found.kind == ModelKind::kEncoder
                      ? LookAtEncoder(given, &found)
                      : LookAtCorrector(given, &found));
  found.is_plan = files.plan() != nullptr;
  if (found.is_plan) found.metadata = files.plan()->metadata();
  ASSIGN_OR_RETURN(found.limits,
                   FindLimits(given.timing_cache, found.products));
  for (const CallStep& step : found.steps) {
    found.times.push_back({PredictedUs(step, found.limits.values), {}});
  }
  if (given.measure) {
    const auto us = Measure(found.steps);
    for (size_t i = 0; i < us.size(); ++i) found.times[i].measured_us = us[i];
  }
  for (const Times& times : found.times) {
    AddTo(&found.all.predicted_us, times.predicted_us);
    AddTo(&found.all.measured_us, times.measured_us);
  }
  return found;
}

size_t BytesOf(const std::vector<Product>& products) {
  size_t bytes = 0;
  for (const Product& product : products) bytes += product.bytes;
  return bytes;
}

nlohmann::json OrNull(const std::optional<double>& us) {
  return us ? nlohmann::json(*us) : nlohmann::json();
}

void AddTimes(const Times& times, nlohmann::json* to) {
  (*to)["predicted_us"] = OrNull(times.predicted_us);
  (*to)["measured_us"] = OrNull(times.measured_us);
}

nlohmann::json StepsJson(const Inspection& found) {
  auto steps = nlohmann::json::array();
  for (size_t i = 0; i < found.steps.size(); ++i) {
    AddTimes(found.times[i], &steps.emplace_back(ToJson(found.steps[i])));
  }
  return steps;
}

nlohmann::json ProductsJson(const InspectArguments& given,
                            const Inspection& found) {
  std::map<std::string, Times> times;
  for (size_t i = 0; i < found.steps.size(); ++i) {
    times[found.steps[i].name] = found.times[i];
  }
  auto products = nlohmann::json::array();
  for (const Product& one : found.products) {
    nlohmann::json& product = products.emplace_back(ToJson(one));
    product["kernel"] = TacticAt(one, given.rows);
    product["tactics"] = TacticsJson(one);
    AddTimes(times[one.name], &product);
  }
  return products;
}

void PrintJson(const InspectArguments& given, const Inspection& found) {
  auto peaks = nlohmann::json::object();
  for (const Precision precision : kPrecisions) {
    const double gops =
        found.limits.values.gops[static_cast<size_t>(precision)];
    if (gops > 0) peaks[std::string(Name(precision)) + "_gops"] = gops;
  }
  peaks["gbytes_per_s"] = found.limits.values.gbytes;
  peaks["from"] = found.limits.measured ? "measured" : "timing cache";
  nlohmann::json line = {{"path", given.path},
                         {"kind", Name(found.kind)},
                         {"isa", BestKernels().name},
                         {"processor", ProcessorKey()},
                         {"rows", given.rows},
                         {"peaks", peaks},
                         {"products", ProductsJson(given, found)},
                         {"product_bytes", BytesOf(found.products)},
                         {"steps", StepsJson(found)},
                         {"arena_bytes", found.arena_bytes},
                         {"call_measured_us", OrNull(found.call_us)}};
  AddTimes(found.all, &line);
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

std::string OneDecimal(const std::optional<double>& us) {
  return us ? fmt::format("{:.1f}", *us) : "";
}

void PrintSteps(const Inspection& found) {
  std::vector<std::vector<std::string>> rows = {
      {"step", "outputs", "inputs", "precision", "kernel", "bytes",
       "predicted us", "measured us"}};
  for (size_t i = 0; i < found.steps.size(); ++i) {
    const CallStep& step = found.steps[i];
    const Times& times = found.times[i];
    rows.push_back({step.name, std::to_string(step.N), std::to_string(step.K),
                    std::string(Name(step.precision)),
                    KernelOf(BestKernels(), step), std::to_string(step.bytes),
                    OneDecimal(times.predicted_us),
                    OneDecimal(times.measured_us)});
  }
  std::cout << MarkdownTable(rows);
}

// "74 us predicted, 102 us measured; a whole call 110 us".
std::string SumsText(const Inspection& found) {
  std::string text =
      fmt::format("{:.0f} us predicted", found.all.predicted_us.value_or(0));
  if (found.all.measured_us) {
    text += fmt::format(", {:.0f} us measured", *found.all.measured_us);
  }
  if (found.call_us) {
    text += fmt::format("; a whole call {:.0f} us", *found.call_us);
  }
  return text;
}

void PrintTable(const InspectArguments& given, const Inspection& found) {
  PrintSteps(found);
  PrintTactics(found.products);
  std::cout << fmt::format(
      "{}: {}, {:.1f} MB of products, computed by {}; an instance's arena of "
      "{:.1f} MB\n",
      given.path, Name(found.kind),
      static_cast<double>(BytesOf(found.products)) * 1e-6, BestKernels().name,
      static_cast<double>(found.arena_bytes) * 1e-6);
  std::string peaks;
  for (const Precision precision : kPrecisions) {
    const double gops =
        found.limits.values.gops[static_cast<size_t>(precision)];
    if (gops > 0) {
      peaks += fmt::format("{:.0f} GOP/s in {}, ", gops, Name(precision));
    }
  }
  std::cout << fmt::format(
      "{} rows of each: {}; one core's limits, {}: {}{:.0f} GB/s\n", given.rows,
      SumsText(found),
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
      "inspect", "List the steps of a call of a plan or a checkpoint");
  const auto given = std::make_shared<InspectArguments>();
  command->add_option("plan", given->path, "A plan, or a checkpoint's folder")
      ->required();
  constexpr int kMostRows = 512;
  command->add_option("--rows", given->rows, "Tokens of the call")
      ->check(CLI::Range(1, kMostRows))
      ->capture_default_str();
  command->add_flag("--measure", given->measure,
                    "Time each step by itself, its weights not in the "
                    "second-level cache, beside what the machine's limits "
                    "predict; of an encoder the whole call, too");
  command->add_option("--timing-cache", given->timing_cache,
                      "File of `quaver compile` to take the limits from, where "
                      "it knows this processor; else they are measured");
  command->add_flag("--json", given->as_json, "One JSON line");
  command->callback(
      [&action, given] { action = [given] { return Inspect(*given); }; });
}

}  // namespace quaver
