// quaver generate: what a BART answers to the lines of standard input.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/backends/tokenizers.h"
#include "quaver/base/json.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/drafts.h"
#include "quaver/engine/beam_search.h"
#include "quaver/engine/generation.h"
#include "quaver/text/bpe.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

struct GenerateOptions {
  std::string model;
  std::string draft = "input";
  std::string index;  // of the dictionary
  BeamOptions beams = {.num_beams = 1};
  bool early_stopping = false;
  bool json = false;
};

constexpr int kMaxBeams = 64;
// Beyond it, lengths to this power leave a float's range.
constexpr double kMaxLengthPenalty = 10;

// Unlike CLI::Range, refuses a penalty that is not a number.
std::string CheckLengthPenalty(const std::string& text) {
  double penalty = 0;
  if (CLI::detail::lexical_cast(text, penalty) &&
      std::abs(penalty) <= kMaxLengthPenalty) {
    return "";
  }
  return fmt::format("must be a number from {} to {}, not {}",
                     -kMaxLengthPenalty, kMaxLengthPenalty, text);
}

// Of {"input_ids": [...]}, which needs no tokenizer.
absl::StatusOr<std::vector<int32_t>> SourceOfIds(
    const nlohmann::json& request) {
  if (!request.value("input_ids", nlohmann::json()).is_array()) {
    return absl::InvalidArgumentError(
        "expected text or {\"input_ids\": [...]}");
  }
  std::vector<int32_t> source;
  for (const nlohmann::json& id : request["input_ids"]) {
    if (!id.is_number_integer() || id < 0 || id > (1 << 24)) {
      return absl::InvalidArgumentError(
          "input_ids holds something else than ids");
    }
    source.push_back(id.get<int32_t>());
  }
  return source;
}

absl::StatusOr<std::vector<int32_t>> SourceOfText(const std::string& line,
                                                  const Bpe* tokenizer,
                                                  int max_tokens) {
  if (tokenizer == nullptr) {
    return absl::FailedPreconditionError(
        "the model folder has no tokenizer: give {\"input_ids\": [...]}");
  }
  return tokenizer->Encode(line, max_tokens);
}

std::optional<std::string> TextOf(const Generated& answer,
                                  const Bpe* tokenizer) {
  if (tokenizer == nullptr) return std::nullopt;
  // Tokens may hold parts of characters, and line ends.
  std::string text = ToUtf8(ToCodePoints(tokenizer->Decode(answer.tokens)));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; },
      ' ');
  if (text.starts_with(' ')) text.erase(0, 1);
  return text;
}

nlohmann::ordered_json ToJson(const Generated& answer, const Bpe* tokenizer) {
  nlohmann::ordered_json json = {{"output_ids", answer.tokens}};
  const auto text = TextOf(answer, tokenizer);
  if (text) json["text"] = *text;
  json["score"] = answer.score;
  return json;
}

// The best answer, and all of them where several were asked for.
void Print(const GenerateOptions& options,
           const std::vector<Generated>& answers, const Bpe* tokenizer) {
  const Generated& best = answers.front();
  if (!options.json) {
    std::cout
        << TextOf(best, tokenizer).value_or(nlohmann::json(best.tokens).dump())
        << std::endl;
    return;
  }
  nlohmann::ordered_json line = ToJson(best, tokenizer);
  line["passes"] = best.passes;
  if (options.beams.num_answers > 1) {
    for (const Generated& answer : answers) {
      line["answers"].push_back(ToJson(answer, tokenizer));
    }
  }
  std::cout << line.dump(-1, ' ', false,
                         nlohmann::json::error_handler_t::replace)
            << std::endl;
}

absl::StatusOr<std::vector<Generated>> Answer(
    const GenerateOptions& options, std::vector<int32_t> source,
    std::vector<std::vector<int32_t>> guesses, Generator& greedy,
    BeamSearch& beams) {
  if (options.beams.num_beams > 1) return beams.Run(source, options.beams);
  GenerationRequest request;
  request.options = options.beams.generation;
  request.source = std::move(source);
  request.drafts = std::move(guesses);
  RETURN_IF_ERROR(greedy.Add(std::move(request)));
  std::vector<Generated> done;
  while (!greedy.idle()) greedy.Step(&done);
  return done;
}

absl::Status Generate(GenerateOptions options) {
  ASSIGN_OR_RETURN(const auto drafts,
                   Drafts::Open(options.draft, options.index));
  if (options.early_stopping) options.beams.stop = BeamOptions::Stop::kAll;
  ASSIGN_OR_RETURN(const auto model,
                   BartModel::Load(options.model, BestKernels()));
  std::unique_ptr<const Bpe> tokenizer;
  if (auto loaded = LoadBpe(options.model); loaded.ok()) {
    tokenizer = *std::move(loaded);
  } else if (!absl::IsNotFound(loaded.status())) {
    return loaded.status();
  }
  GeneratorLimits limits;
  limits.max_requests = 1;
  limits.max_source_tokens = model->config().max_positions;
  limits.max_target_tokens = model->config().max_positions;
  Generator greedy(*model, limits);
  BeamSearch beams(*model, options.beams.num_beams, limits);
  std::string line;
  for (uint64_t number = 1; std::getline(std::cin, line); ++number) {
    const nlohmann::json request = ParseJson(line);
    const bool is_text = !request.is_object();
    auto source =
        is_text ? SourceOfText(line, tokenizer.get(), limits.max_source_tokens)
                : SourceOfIds(request);
    std::vector<std::vector<int32_t>> guesses;
    if (source.ok()) {
      guesses = drafts.Of(is_text ? line : "", *source, tokenizer.get(),
                          limits.max_source_tokens);
    }
    auto answers = source.ok() ? Answer(options, *std::move(source),
                                        std::move(guesses), greedy, beams)
                               : source.status();
    if (!answers.ok()) {
      return Annotate(answers.status(), fmt::format("line {}", number));
    }
    Print(options, *answers, is_text ? tokenizer.get() : nullptr);
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
                   "What is guessed of an answer: none, input, or dictionary "
                   "(needs --index), too. Answers are the same; passes are not")
      ->check(CLI::IsMember(Drafts::kKinds))
      ->capture_default_str();
  command->add_option("--index", options->index,
                      "Folder made by ingest, whose words are the dictionary");
  command
      ->add_option("--max-new-tokens", options->beams.generation.max_new_tokens,
                   "Tokens of an answer at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--min-new-tokens", options->beams.generation.min_new_tokens,
                   "Tokens of an answer at least")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--no-repeat-ngram-size",
                   options->beams.generation.no_repeat_ngram_size,
                   "No n-gram comes twice; 0: may")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--beams", options->beams.num_beams, "Beams; 1: greedy")
      ->check(CLI::Range(1, kMaxBeams))
      ->capture_default_str();
  command
      ->add_option("--n-best", options->beams.num_answers,
                   "Answers shown with --json; at most as many as beams")
      ->check(CLI::Range(1, kMaxBeams))
      ->capture_default_str();
  command
      ->add_option("--length-penalty", options->beams.length_penalty,
                   "Beams' scores are divided by length to this power, -10 to "
                   "10")
      ->check(CheckLengthPenalty)
      ->capture_default_str();
  command->add_flag("--early-stopping", options->early_stopping,
                    "End once as many answers as beams are whole");
  command->add_flag("--json", options->json,
                    "One object a line: output_ids, text, score, passes");
  command->callback([&action, options] {
    action = [options] { return Generate(*options); };
  });
}

}  // namespace quaver
