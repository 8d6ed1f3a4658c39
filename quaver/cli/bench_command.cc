// quaver bench: how fast the parts are.
#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"
#include "quaver/engine/bench.h"

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

}  // namespace

void AddBenchCommand(CLI::App& app, Action& action) {
  CLI::App* bench = app.add_subcommand("bench", "Measure speed");
  bench->require_subcommand(1);
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
