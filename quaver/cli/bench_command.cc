// quaver bench: how fast the parts are.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/base/clock.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"
#include "quaver/engine/bench.h"
#include "quaver/engine/generation.h"
#include "quaver/text/bpe.h"

namespace quaver {
namespace {

struct EncoderOptions {
  std::string model = DefaultModelFolder();
  EncoderBenchConfig bench;
  bool as_json = false;
};

absl::Status BenchTheEncoder(const EncoderOptions& options) {
  const Kernels& kernels = BestKernels();
  ASSIGN_OR_RETURN(const auto model, BertModel::Load(options.model, kernels));
  ASSIGN_OR_RETURN(const EncoderBenchResult result,
                   BenchEncoder(*model, options.bench));
  if (options.as_json) {
    const nlohmann::json line = {{"isa", kernels.name},
                                 {"threads", options.bench.num_threads},
                                 {"batch", options.bench.batch},
                                 {"tokens", options.bench.tokens},
                                 {"p50_ms", result.p50_ms},
                                 {"p90_ms", result.p90_ms},
                                 {"sentences_per_s", result.sentences_per_s}};
    std::cout << line.dump() << "\n";
  } else {
    std::cout << fmt::format(
        "{}, {} thread(s), batch {}, {} tokens: p50 {:.2f} ms, p90 {:.2f} ms, "
        "{:.0f} sentences/s\n",
        kernels.name, options.bench.num_threads, options.bench.batch,
        options.bench.tokens, result.p50_ms, result.p90_ms,
        result.sentences_per_s);
  }
  return absl::OkStatus();
}

struct CorrectorOptions {
  std::string model;
  bool no_drafts = false;
  int rounds = 3;
  bool as_json = false;
};

double Percentile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(share *
                                    static_cast<double>(sorted.size() - 1))];
}

// Text in, text out, one query at a time in this thread: tokens, encoder,
// decoder, text.
absl::Status BenchTheCorrector(const CorrectorOptions& options) {
  const Kernels& kernels = BestKernels();
  ASSIGN_OR_RETURN(const auto model, BartModel::Load(options.model, kernels));
  ASSIGN_OR_RETURN(const auto tokenizer, Bpe::Load(options.model));
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(line);
  if (lines.empty()) {
    return absl::InvalidArgumentError("standard input holds no query");
  }
  GeneratorLimits limits;
  limits.max_requests = 1;
  Generator generator(*model, limits);
  std::vector<double> times;
  int64_t passes = 0;
  for (int round = 0; round <= options.rounds; ++round) {  // the first warms up
    for (const std::string& line : lines) {
      const int64_t start = Clock::Real().NowUs();
      GenerationRequest request;
      request.source = tokenizer->Encode(line, limits.max_source_tokens);
      if (!options.no_drafts) request.drafts = {request.source};
      RETURN_IF_ERROR(generator.Add(std::move(request)));
      std::vector<Generated> done;
      while (!generator.idle()) generator.Step(&done);
      const std::string text = tokenizer->Decode(done.front().tokens);
      const int64_t end = Clock::Real().NowUs();
      if (round == 0) continue;
      times.push_back(static_cast<double>(end - start) / 1e3);
      passes += done.front().passes;
    }
  }
  std::sort(times.begin(), times.end());
  const nlohmann::ordered_json result = {
      {"isa", kernels.name},
      {"queries", lines.size()},
      {"drafts", !options.no_drafts},
      {"p50_ms", Percentile(times, 0.5)},
      {"p90_ms", Percentile(times, 0.9)},
      {"p99_ms", Percentile(times, 0.99)},
      {"passes",
       static_cast<double>(passes) / static_cast<double>(times.size())}};
  if (options.as_json) {
    std::cout << result.dump() << "\n";
  } else {
    std::cout << fmt::format(
        "{}, {} queries, drafts {}: p50 {:.2f} ms, p90 {:.2f} ms, p99 {:.2f} "
        "ms, {:.2f} passes a query\n",
        kernels.name, lines.size(), options.no_drafts ? "off" : "on",
        result["p50_ms"].get<double>(), result["p90_ms"].get<double>(),
        result["p99_ms"].get<double>(), result["passes"].get<double>());
  }
  return absl::OkStatus();
}

void AddBenchCorrector(CLI::App& bench, Action& action) {
  CLI::App* command = bench.add_subcommand(
      "corrector", "The spell corrector's model, on queries of standard input");
  const auto options = std::make_shared<CorrectorOptions>();
  command->add_option("--model", options->model, "Folder of the corrector")
      ->required();
  command->add_flag("--no-drafts", options->no_drafts, "One token a pass");
  command->add_option("--rounds", options->rounds, "Times each query is timed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--json", options->as_json, "One JSON object");
  command->callback([&action, options] {
    action = [options] { return BenchTheCorrector(*options); };
  });
}

}  // namespace

void AddBenchCommand(CLI::App& app, Action& action) {
  CLI::App* bench = app.add_subcommand("bench", "Measure speed");
  bench->require_subcommand(1);
  AddBenchCorrector(*bench, action);
  CLI::App* command =
      bench->add_subcommand("encoder", "The sentence encoder, seeded tokens");
  const auto options = std::make_shared<EncoderOptions>();
  command->add_option("--model", options->model, "Folder of the encoder")
      ->capture_default_str();
  command
      ->add_option("--threads", options->bench.num_threads,
                   "Instances at once, a core each")
      ->capture_default_str();
  command->add_option("--batch", options->bench.batch, "Sentences a call")
      ->capture_default_str();
  command->add_option("--tokens", options->bench.tokens, "Tokens a sentence")
      ->capture_default_str();
  command
      ->add_option("--iterations", options->bench.num_iterations,
                   "Timed calls of each thread")
      ->capture_default_str();
  command->add_flag("--json", options->as_json, "One JSON object");
  command->callback([&action, options] {
    action = [options] { return BenchTheEncoder(*options); };
  });
}

}  // namespace quaver
