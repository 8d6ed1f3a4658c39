// quaver generate: what a BART answers to the lines of standard input.
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/base/json.h"
#include "quaver/cli/commands.h"
#include "quaver/engine/generation.h"
#include "quaver/text/bpe.h"

namespace quaver {
namespace {

struct GenerateOptions {
  std::string model;
  std::string draft = "input";
  GenerationOptions generation;
  bool json = false;
};

// A line: text, or {"input_ids": [...]}, which needs no tokenizer.
absl::StatusOr<std::vector<int32_t>> SourceOf(const std::string& line,
                                              const Bpe* tokenizer,
                                              int max_tokens) {
  if (line.starts_with('{')) {
    const nlohmann::json request = ParseJson(line);
    const auto ids =
        request.is_object() ? request.find("input_ids") : request.end();
    if (!request.is_discarded() && ids != request.end() && ids->is_array()) {
      std::vector<int32_t> source;
      for (const nlohmann::json& id : *ids) {
        if (!id.is_number_integer() || id < 0 || id > (1 << 24)) {
          return absl::InvalidArgumentError(
              "input_ids holds something else than ids");
        }
        source.push_back(id.get<int32_t>());
      }
      return source;
    }
  }
  if (tokenizer == nullptr) {
    return absl::FailedPreconditionError(
        "the model folder has no tokenizer: give {\"input_ids\": [...]}");
  }
  return tokenizer->Encode(line, max_tokens);
}

void Print(const GenerateOptions& options, const Generated& generated,
           const std::optional<std::string>& text) {
  if (!options.json) {
    std::cout << text.value_or(nlohmann::json(generated.tokens).dump())
              << std::endl;
    return;
  }
  nlohmann::ordered_json answer = {{"output_ids", generated.tokens}};
  if (text) answer["text"] = *text;
  answer["score"] = generated.score;
  answer["passes"] = generated.passes;
  std::cout << answer.dump(-1, ' ', false,
                           nlohmann::json::error_handler_t::replace)
            << std::endl;
}

absl::Status Generate(const GenerateOptions& options) {
  ASSIGN_OR_RETURN(const auto model,
                   BartModel::Load(options.model, BestKernels()));
  std::unique_ptr<const Bpe> tokenizer;
  if (auto loaded = Bpe::Load(options.model); loaded.ok()) {
    tokenizer = *std::move(loaded);
  } else if (!absl::IsNotFound(loaded.status())) {
    return loaded.status();
  }
  GeneratorLimits limits;
  limits.max_requests = 1;
  limits.max_source_tokens = model->config().max_positions;
  limits.max_target_tokens = model->config().max_positions;
  Generator generator(*model, limits);
  std::string line;
  for (uint64_t number = 1; std::getline(std::cin, line); ++number) {
    const auto answer = [&]() -> absl::Status {
      GenerationRequest request;
      request.options = options.generation;
      ASSIGN_OR_RETURN(request.source, SourceOf(line, tokenizer.get(),
                                                limits.max_source_tokens));
      if (options.draft == "input") request.drafts = {request.source};
      RETURN_IF_ERROR(generator.Add(std::move(request)));
      std::vector<Generated> done;
      while (!generator.idle()) generator.Step(&done);
      std::optional<std::string> text;
      if (tokenizer != nullptr && !line.starts_with('{')) {
        text = tokenizer->Decode(done.front().tokens);
      }
      Print(options, done.front(), text);
      return absl::OkStatus();
    };
    const absl::Status status = answer();
    if (!status.ok()) return Annotate(status, fmt::format("line {}", number));
  }
  return absl::OkStatus();
}

}  // namespace

void AddGenerateCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "generate",
      "What a BART answers to the lines of standard input: text, or "
      "{\"input_ids\": [...]}");
  const auto options = std::make_shared<GenerateOptions>();
  command->add_option("--model", options->model, "Folder of the model")
      ->required();
  command
      ->add_option("--draft", options->draft,
                   "What is guessed of an answer: none, input. Answers are the "
                   "same; passes are not")
      ->check(CLI::IsMember({"none", "input"}))
      ->capture_default_str();
  command
      ->add_option("--max-new-tokens", options->generation.max_new_tokens,
                   "Tokens of an answer at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--min-new-tokens", options->generation.min_new_tokens,
                   "Tokens of an answer at least")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--no-repeat-ngram-size",
                   options->generation.no_repeat_ngram_size,
                   "No n-gram comes twice; 0: may")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--json", options->json,
                    "One object a line: output_ids, text, score, passes");
  command->callback([&action, options] {
    action = [options] { return Generate(*options); };
  });
}

}  // namespace quaver
