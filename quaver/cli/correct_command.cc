// quaver correct: what a search makes of the spelling of standard input's
// lines.
#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/api/answers.h"
#include "quaver/base/clock.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"
#include "quaver/search/query.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

struct CorrectCommandOptions {
  std::string index;
  std::string model = DefaultModelFolder();
  std::string corrector = DefaultCorrectorFolder();
  bool as_json = false;
  bool no_gate = false;
};

// All that some reader takes for the end of a line, as Python's splitlines.
constexpr std::u32string_view kLineBreaks =
    U"\n\v\f\r\x1c\x1d\x1e\u0085\u2028\u2029";

// Valid UTF-8 on one line, and otherwise as given.
std::string OneLine(std::string_view line) {
  std::u32string code_points = ToCodePoints(line);
  for (char32_t& c : code_points) {
    if (kLineBreaks.find(c) != kLineBreaks.npos) c = U' ';
  }
  return ToUtf8(code_points);
}

absl::Status Correct(const CorrectCommandOptions& options) {
  ASSIGN_OR_RETURN(const auto search, OpenReadOnly(options.index, options.model,
                                                   options.corrector));
  const CorrectOptions correct{.gate = !options.no_gate};
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.ends_with('\r')) line.pop_back();
    const Stopwatch stopwatch;
    ASSIGN_OR_RETURN(const Correction correction,
                     search->bar->Correct(line, correct));
    if (options.as_json) {
      const auto json =
          ToJson(PrepareQuery(line).raw, correction, stopwatch.ElapsedUs());
      std::cout << json.dump(-1, ' ', false,
                             nlohmann::json::error_handler_t::replace)
                << std::endl;
    } else {
      std::cout << OneLine(correction.applied ? correction.text : line)
                << std::endl;
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddCorrectCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "correct", "Correct the spelling of input lines, one line for each");
  const auto options = std::make_shared<CorrectCommandOptions>();
  command->add_option("--index", options->index, "Folder made by ingest")
      ->required();
  command
      ->add_option("--model", options->model,
                   "Plan of the encoder, or its folder, which is compiled once")
      ->capture_default_str();
  command
      ->add_option("--corrector", options->corrector,
                   "Plan or folder of the spelling model; none: without")
      ->capture_default_str();
  command->add_flag("--json", options->as_json,
                    "One object a line, as /v1/correct gives it");
  command->add_flag("--no-gate", options->no_gate,
                    "Ask the model about what the index explains, too");
  command->callback(
      [&action, options] { action = [options] { return Correct(*options); }; });
}

}  // namespace quaver
