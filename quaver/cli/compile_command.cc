// quaver compile: a checkpoint becomes a plan.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/base/progress.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/plans.h"
#include "quaver/cli/product_json.h"
#include "quaver/eval/table.h"

namespace quaver {
namespace {

struct CompileArguments {
  CompileOptions options;
  std::string precision = "auto";
  std::string scales = "dynamic";
  std::string calibration;
  std::string quality_data;
  int level = 3;
  std::vector<std::string> isas;
  std::string timing_cache;
  std::string timing_cache_miss = "measure";
  bool verify = false;
  bool force = false;
  bool as_json = false;
};

// From these levels on a model may be int8 in parts, and every product is
// measured by itself in any case.
constexpr int kPartsLevel = 2;
constexpr int kSearchLevel = 4;

// "24 products in int8, 1 in fp32".
std::string CountText(const std::vector<Product>& products) {
  std::string text;
  for (const Precision precision :
       {Precision::kInt8, Precision::kBf16, Precision::kFp32}) {
    const auto count = std::count_if(
        products.begin(), products.end(),
        [&](const Product& one) { return one.precision == precision; });
    if (count == 0) continue;
    const bool first = text.empty();
    text += fmt::format("{}{}{} in {}", first ? "" : ", ", count,
                        first ? " products" : "", Name(precision));
  }
  return text;
}

nlohmann::json ToJson(const std::vector<Product>& products) {
  auto list = nlohmann::json::array();
  for (const Product& product : products) list.push_back(ToJson(product));
  return list;
}

nlohmann::json ToJson(const std::vector<ProductError>& errors) {
  auto list = nlohmann::json::array();
  for (const ProductError& one : errors) {
    list.push_back({{"name", one.product},
                    {"precision", Name(one.precision)},
                    {"rows", one.rows},
                    {"own", one.own},
                    {"least_cosine", one.least_cosine},
                    {"whole", one.whole}});
  }
  return list;
}

const ProductError& Worst(const std::vector<ProductError>& errors) {
  return *std::max_element(errors.begin(), errors.end(),
                           [](const ProductError& a, const ProductError& b) {
                             return a.own < b.own;
                           });
}

void PrintErrors(const std::vector<ProductError>& errors) {
  std::vector<std::vector<std::string>> rows = {{"product", "precision",
                                                 "own error %", "least cosine",
                                                 "error in whole %", ""}};
  const ProductError& worst = Worst(errors);
  for (const ProductError& one : errors) {
    rows.push_back({one.product, std::string(Name(one.precision)),
                    fmt::format("{:.3f}", 100 * one.own),
                    fmt::format("{:.6f}", one.least_cosine),
                    fmt::format("{:.3f}", 100 * one.whole),
                    &one == &worst ? "worst" : ""});
  }
  std::cout << MarkdownTable(rows)
            << fmt::format(
                   "Root mean squares of errors over those of fp32's outputs, "
                   "{} rows: of a product that reads what fp32 reads, and in "
                   "the whole model, with all that came before.\n",
                   worst.rows);
}

void Print(const CompileArguments& given, const CompileReport& report,
           const std::vector<ProductError>& errors) {
  if (given.as_json) {
    auto ranked = nlohmann::json::array();
    for (const ProductDrop& one : report.ranked) {
      ranked.push_back({{"name", one.product}, {"drop", one.drop}});
    }
    nlohmann::json line = {
        {"plan", given.options.plan},          {"kind", Name(report.kind)},
        {"bytes", report.plan_bytes},          {"seconds", report.seconds},
        {"products", ToJson(report.products)}, {"ranked", ranked}};
    line["quality_drop"] =
        report.measured ? nlohmann::json(report.drop) : nlohmann::json();
    if (given.verify) line["verify"] = ToJson(errors);
    std::cout << line.dump() << "\n";
    return;
  }
  if (given.verify) PrintErrors(errors);
  for (const ProductDrop& one : report.ranked) {
    std::cout << fmt::format("  {:<32} {:8.3f} points\n", one.product,
                             one.drop);
  }
  std::cout << fmt::format(
      "{}: {} of {:.1f} MB, {}{}, {:.1f} s\n", given.options.plan,
      Name(report.kind), static_cast<double>(report.plan_bytes) * 1e-6,
      CountText(report.products),
      report.measured
          ? fmt::format("; {:.2f} points of quality lost", report.drop)
          : std::string(),
      report.seconds);
}

std::vector<std::string> KernelNames() {
  std::vector<std::string> names;
  for (const Kernels* kernels : AvailableKernels()) {
    names.emplace_back(kernels->name);
  }
  return names;
}

std::vector<const Kernels*> KernelsNamed(
    const std::vector<std::string>& names) {
  std::vector<const Kernels*> found;
  for (const std::string& name : names) {
    for (const Kernels* kernels : AvailableKernels()) {
      if (name == kernels->name) found.push_back(kernels);
    }
  }
  return found;
}

absl::Status CheckArguments(const CompileArguments& given) {
  const CompileOptions& options = given.options;
  std::error_code error;
  if (!std::filesystem::is_directory(options.checkpoint, error)) {
    return absl::NotFoundError(fmt::format(
        "{}: is no folder; give one with config.json and model.safetensors",
        options.checkpoint));
  }
  if (std::filesystem::exists(options.plan, error) && !given.force) {
    return absl::AlreadyExistsError(
        fmt::format("{}: is there already; --force replaces it", options.plan));
  }
  if (!options.calibration.cache.empty() && given.scales == "dynamic") {
    return absl::InvalidArgumentError(
        "--calibration-cache: holds fixed scales; choose --scales min-max, "
        "percentile or entropy");
  }
  if (!given.timing_cache.empty() && given.level == 0) {
    return absl::InvalidArgumentError(
        "--timing-cache: level 0 times nothing; choose --level 1 or more");
  }
  return absl::OkStatus();
}

// What words mean; the rest of the options is as it was parsed.
CompileOptions OptionsOf(const CompileArguments& given) {
  CompileOptions options = given.options;
  for (const Precision precision : kPrecisions) {
    if (given.precision == Name(precision)) options.precision = precision;
  }
  for (const ScaleMethod method : kScaleMethods) {
    if (given.scales == Name(method)) options.calibration.method = method;
  }
  if (given.level >= kSearchLevel) options.search = PrecisionSearch::kAlways;
  if (given.level < kPartsLevel) options.search = PrecisionSearch::kNever;
  options.tuning.level = given.level;
  options.tuning.measure = given.timing_cache_miss == "measure";
  options.isas = KernelsNamed(given.isas);
  return options;
}

absl::StatusOr<CompileReport> CompileShown(const CompileArguments& given,
                                           CompileOptions options) {
  std::unique_ptr<Progress> progress;
  std::string stage;
  options.progress = [&](const std::string& what, int done, int all) {
    if (given.as_json) return;
    if (what != stage) {
      progress = std::make_unique<Progress>(what, "steps", all);
      stage = what;
    }
    progress->Update(done);
  };
  return CompileModel(options, given.calibration, given.quality_data);
}

absl::Status Compile(const CompileArguments& given) {
  RETURN_IF_ERROR(CheckArguments(given));
  CompileOptions options = OptionsOf(given);
  TimingCache cache;
  if (!given.timing_cache.empty()) {
    ASSIGN_OR_RETURN(cache, TimingCache::Read(given.timing_cache));
    options.timing_cache = &cache;
  }
  const size_t num_known = cache.times().size();
  const auto report = CompileShown(given, options);
  // What was measured counts, whatever came of the plan.
  if (cache.times().size() > num_known) {
    RETURN_IF_ERROR(cache.WriteTo(given.timing_cache));
  }
  RETURN_IF_ERROR(report.status());
  std::vector<ProductError> errors;
  if (given.verify) {
    ASSIGN_OR_RETURN(errors, VerifyPlan(options.checkpoint, options.plan,
                                        given.calibration));
  }
  Print(given, *report, errors);
  return absl::OkStatus();
}

}  // namespace

void AddCompileCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "compile",
      "Pack a checkpoint for this program: int8 or bf16, one mapped file");
  const auto given = std::make_shared<CompileArguments>();
  CompileOptions& options = given->options;
  command
      ->add_option("checkpoint", options.checkpoint,
                   "Hugging Face folder of a BERT encoder or BART corrector")
      ->required();
  command->add_option("--out", options.plan, "The plan to write")->required();
  command
      ->add_option("--precision", given->precision,
                   "auto: int8 where quality allows, else bf16, else fp32")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "int8"}))
      ->capture_default_str();
  command->add_option(
      "--calibration", given->calibration,
      "Queries, one a line, whose results should stay, and that "
      "fixed scales are found on; without it some that come "
      "with the program");
  command
      ->add_option("--scales", given->scales,
                   "Of what int8 products read: dynamic, found anew for each "
                   "token, or fixed by what the calibration queries give")
      ->check(CLI::IsMember({"dynamic", "min-max", "percentile", "entropy"}))
      ->capture_default_str();
  command
      ->add_option("--percentile", options.calibration.percentile,
                   "Of --scales percentile: what lies beyond on either side is "
                   "held at the ends")
      ->check(CLI::Range(50.0, 100.0))
      ->capture_default_str();
  command->add_option("--calibration-cache", options.calibration.cache,
                      "File of fixed scales: read when it is there, else "
                      "written");
  command->add_option("--quality-data", given->quality_data,
                      "TSV with score, sentence1, sentence2 for an encoder; "
                      "query, corrected for a corrector");
  command
      ->add_option("--max-quality-drop", options.max_drop,
                   "Points (hundredths) of quality that a plan may cost")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option(
          "--level", given->level,
          "Effort. 0: one precision for the whole model, standard kernels; 1: "
          "and kernels chosen by timing products of 1, 12 and 64 rows; 2: and "
          "products may differ in precision, kernels timed at 1, 2, 4, 8, 12, "
          "16, 32, 64, 128 and 256 rows; 3: each three times; 4: and every "
          "product's quality is measured by itself, kernels timed at 18 "
          "numbers of rows up to 512; 5: each nine times")
      ->check(CLI::Range(0, 5))
      ->capture_default_str();
  command
      ->add_option("--isa", given->isas,
                   "Instruction sets to choose kernels for, with commas "
                   "between; fp32 products are packed for the first. The plan "
                   "runs on all others, too. Without it the best one here")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(KernelNames()));
  CLI::Option* cache =
      command->add_option("--timing-cache", given->timing_cache,
                          "Text file of times: what it holds is not timed "
                          "again, what is timed is added. `cat` merges files; "
                          "of equal measurements the least counts");
  command
      ->add_option("--timing-cache-miss", given->timing_cache_miss,
                   "What to do about times that the file lacks: with error a "
                   "plan is always the same")
      ->check(CLI::IsMember({"measure", "error"}))
      ->needs(cache)
      ->capture_default_str();
  command->add_flag("--verify", given->verify,
                    "Compare each product of the plan with fp32's, on the "
                    "calibration queries");
  command->add_flag("--force", given->force, "Replace the plan");
  command->add_flag("--json", given->as_json, "One JSON line");
  command->callback(
      [&action, given] { action = [given] { return Compile(*given); }; });
}

}  // namespace quaver
