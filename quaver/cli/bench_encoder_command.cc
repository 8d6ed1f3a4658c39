// quaver bench encoder: how fast texts' ids become embeddings.
#include <charconv>
#include <cstdint>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"
#include "quaver/engine/bench.h"

namespace quaver {
namespace {

struct EncoderOptions {
  std::string model = DefaultModelFolder();
  std::string lengths, ids;  // files
  EncoderBenchConfig bench;
  bool as_json = false;
};

// Numbers, one a line.
absl::StatusOr<std::vector<int>> ReadLengths(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::istringstream lines(text);
  std::vector<int> lengths;
  int length = 0;
  while (lines >> length) lengths.push_back(length);
  if (lengths.empty() || !lines.eof()) {
    return absl::InvalidArgumentError(
        path + ": expected numbers of tokens, one a line");
  }
  return lengths;
}

// A sentence a line.
absl::StatusOr<std::vector<std::vector<int32_t>>> ReadIds(
    const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::istringstream lines(text);
  std::vector<std::vector<int32_t>> sentences;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<int32_t>& ids = sentences.emplace_back();
    bool whole = true;
    for (std::string word; whole && words >> word;) {
      const char* end = word.data() + word.size();
      const auto [rest, error] =
          std::from_chars(word.data(), end, ids.emplace_back());
      whole = error == std::errc() && rest == end;
    }
    if (ids.empty() || !whole) {
      return absl::InvalidArgumentError(fmt::format(
          "{}:{}: expected ids, separated by spaces", path, sentences.size()));
    }
  }
  if (sentences.empty()) {
    return absl::InvalidArgumentError(path + ": holds no sentence");
  }
  return sentences;
}

absl::Status BenchTheEncoder(EncoderOptions options) {
  options.bench.num_threads = CappedThreads(options.bench.num_threads);
  if (!options.lengths.empty()) {
    ASSIGN_OR_RETURN(options.bench.lengths, ReadLengths(options.lengths));
  }
  if (!options.ids.empty()) {
    ASSIGN_OR_RETURN(options.bench.sentences, ReadIds(options.ids));
  }
  const Kernels& kernels = BestKernels();
  const int granted = TeamSize(InstanceTeam(
      0, options.bench.num_threads, options.bench.threads_per_instance, {}));
  ASSIGN_OR_RETURN(const auto model, BertModel::Load(options.model, kernels));
  ASSIGN_OR_RETURN(const EncoderBenchResult result,
                   BenchEncoder(*model, options.bench));
  if (options.as_json) {
    const nlohmann::json line = {{"isa", kernels.name},
                                 {"threads", options.bench.num_threads},
                                 {"threads_per_instance", granted},
                                 {"batch", options.bench.batch},
                                 {"tokens", result.tokens},
                                 {"p50_ms", result.p50_ms},
                                 {"p90_ms", result.p90_ms},
                                 {"sentences_per_s", result.sentences_per_s}};
    std::cout << line.dump() << "\n";
  } else {
    std::cout << fmt::format(
        "{}, {} instance(s) of {} thread(s), batch {}, {:.4g} tokens: p50 "
        "{:.2f} ms, p90 {:.2f} ms, {:.0f} sentences/s\n",
        kernels.name, options.bench.num_threads, granted, options.bench.batch,
        result.tokens, result.p50_ms, result.p90_ms, result.sentences_per_s);
  }
  return absl::OkStatus();
}

}  // namespace

void AddBenchEncoderCommand(CLI::App& bench, Action& action) {
  CLI::App* command =
      bench.add_subcommand("encoder", "The sentence encoder on token ids");
  const auto options = std::make_shared<EncoderOptions>();
  command
      ->add_option("--model", options->model, "Plan or folder of the encoder")
      ->capture_default_str();
  command
      ->add_option("--threads", options->bench.num_threads, "Instances at once")
      ->check(CLI::Range(1, kMaxThreads))
      ->capture_default_str();
  command
      ->add_option("--threads-per-instance",
                   options->bench.threads_per_instance,
                   "Cores that compute a call together")
      ->check(CLI::Range(1, kMaxThreads))
      ->capture_default_str();
  command->add_option("--batch", options->bench.batch, "Sentences a call")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  auto* tokens =
      command
          ->add_option("--tokens", options->bench.tokens, "Tokens a sentence")
          ->capture_default_str();
  auto* lengths =
      command
          ->add_option("--lengths", options->lengths,
                       "File of tokens a sentence, one a line, in their order")
          ->excludes(tokens);
  command
      ->add_option("--ids", options->ids,
                   "File of the sentences' ids, a sentence a line; else ids "
                   "are seeded")
      ->excludes(tokens)
      ->excludes(lengths);
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
