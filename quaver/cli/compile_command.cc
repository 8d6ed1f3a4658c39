// quaver compile and quaver inspect: a checkpoint becomes a plan; what a plan
// holds.
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/artifact/model_files.h"
#include "quaver/base/progress.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/plans.h"
#include "quaver/eval/table.h"

namespace quaver {
namespace {

struct CompileArguments {
  CompileOptions options;
  std::string precision = "auto";
  std::string calibration;
  std::string quality_data;
  int level = 3;
  bool force = false;
  bool as_json = false;
};

// From these levels on a model may be int8 in parts, and every product is
// measured by itself in any case.
constexpr int kPartsLevel = 2;
constexpr int kSearchLevel = 4;

size_t CountFp32(const CompileReport& report) {
  size_t count = 0;
  for (const Product& product : report.products) {
    if (product.precision == Precision::kFp32) ++count;
  }
  return count;
}

nlohmann::json ToJson(const std::vector<Product>& products) {
  auto list = nlohmann::json::array();
  for (const Product& product : products) {
    list.push_back({{"name", product.name},
                    {"outputs", product.N},
                    {"inputs", product.K},
                    {"precision", Name(product.precision)},
                    {"bytes", product.bytes}});
  }
  return list;
}

void Print(const CompileArguments& given, const CompileReport& report) {
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
    std::cout << line.dump() << "\n";
    return;
  }
  for (const ProductDrop& one : report.ranked) {
    std::cout << fmt::format("  {:<32} {:8.3f} points\n", one.product,
                             one.drop);
  }
  const size_t fp32 = CountFp32(report);
  std::cout << fmt::format(
      "{}: {} of {:.1f} MB, {} products in int8, {} in fp32{}, {:.1f} s\n",
      given.options.plan, Name(report.kind),
      static_cast<double>(report.plan_bytes) * 1e-6,
      report.products.size() - fp32, fp32,
      report.measured
          ? fmt::format("; {:.2f} points of quality lost", report.drop)
          : std::string(),
      report.seconds);
}

absl::Status Compile(CompileArguments given) {
  CompileOptions& options = given.options;
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
  if (given.precision == "fp32") options.precision = Precision::kFp32;
  if (given.precision == "int8") options.precision = Precision::kInt8;
  if (given.level >= kSearchLevel) options.search = PrecisionSearch::kAlways;
  if (given.level < kPartsLevel) options.search = PrecisionSearch::kNever;
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
  auto report = CompileModel(options, given.calibration, given.quality_data);
  progress.reset();
  RETURN_IF_ERROR(report.status());
  Print(given, *report);
  return absl::OkStatus();
}

absl::Status Inspect(const std::string& path, bool as_json) {
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(path));
  ASSIGN_OR_RETURN(const ModelKind kind, ReadModelKind(path));
  std::vector<Product> products;
  if (kind == ModelKind::kEncoder) {
    ASSIGN_OR_RETURN(const auto model, BertModel::Load(path, BestKernels()));
    products = Products(*model);
  } else {
    ASSIGN_OR_RETURN(const auto model, BartModel::Load(path, BestKernels()));
    products = Products(*model);
  }
  size_t bytes = 0;
  for (const Product& product : products) bytes += product.bytes;
  if (as_json) {
    nlohmann::json line = {{"path", path},
                           {"kind", Name(kind)},
                           {"isa", BestKernels().name},
                           {"products", ToJson(products)},
                           {"product_bytes", bytes}};
    if (files.plan() != nullptr) line["metadata"] = files.plan()->metadata();
    std::cout << line.dump() << "\n";
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {
      {"product", "outputs", "inputs", "precision", "bytes"}};
  for (const Product& product : products) {
    rows.push_back(
        {product.name, std::to_string(product.N), std::to_string(product.K),
         std::string(Name(product.precision)), std::to_string(product.bytes)});
  }
  std::cout << MarkdownTable(rows)
            << fmt::format("{}: {}, {:.1f} MB of products, computed by {}\n",
                           path, Name(kind), static_cast<double>(bytes) * 1e-6,
                           BestKernels().name);
  return absl::OkStatus();
}

}  // namespace

void AddCompileCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "compile", "Pack a checkpoint for this program: int8, one mapped file");
  const auto given = std::make_shared<CompileArguments>();
  CompileOptions& options = given->options;
  command
      ->add_option("checkpoint", options.checkpoint,
                   "Hugging Face folder of a BERT encoder or BART corrector")
      ->required();
  command->add_option("--out", options.plan, "The plan to write")->required();
  command
      ->add_option("--precision", given->precision,
                   "auto: int8 where quality allows")
      ->check(CLI::IsMember({"auto", "fp32", "int8"}))
      ->capture_default_str();
  command->add_option("--calibration", given->calibration,
                      "Queries, one a line, whose results should stay; without "
                      "it some that come with the program");
  command->add_option("--quality-data", given->quality_data,
                      "TSV with score, sentence1, sentence2 for an encoder; "
                      "query, corrected for a corrector");
  command
      ->add_option("--max-quality-drop", options.max_drop,
                   "Points (hundredths) of quality that int8 may cost")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--level", given->level,
                   "Effort: below 2 a model is int8 wholly or not at all; from "
                   "4 on every product is measured by itself")
      ->check(CLI::Range(0, 5))
      ->capture_default_str();
  command->add_flag("--force", given->force, "Replace the plan");
  command->add_flag("--json", given->as_json, "One JSON line");
  command->callback(
      [&action, given] { action = [given] { return Compile(*given); }; });
}

void AddInspectCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "inspect", "List the products of a plan or a checkpoint");
  struct Arguments {
    std::string path;
    bool as_json = false;
  };
  const auto given = std::make_shared<Arguments>();
  command->add_option("plan", given->path, "A plan, or a checkpoint's folder")
      ->required();
  command->add_flag("--json", given->as_json, "One JSON line");
  command->callback([&action, given] {
    action = [given] { return Inspect(given->path, given->as_json); };
  });
}

}  // namespace quaver
