// quaver embed: lines in, one JSON array each out.
#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"
#include "quaver/search/query_encoder.h"

namespace quaver {
namespace {

absl::Status Embed(const std::string& model_folder) {
  ASSIGN_OR_RETURN(const auto encoder, LoadEncoder(model_folder, {.count = 1}));
  std::string line;
  while (std::getline(std::cin, line)) {
    ASSIGN_OR_RETURN(const std::vector<float> embedding,
                     EmbedQuery(*encoder, line));
    std::cout << nlohmann::json(embedding).dump() << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace

void AddEmbedCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "embed", "Embed the lines of standard input, one JSON array a line");
  const auto model = std::make_shared<std::string>(DefaultModelFolder());
  command
      ->add_option("--model", *model,
                   "Plan of the encoder, or its folder, which is compiled once")
      ->capture_default_str();
  command->callback(
      [&action, model] { action = [model] { return Embed(*model); }; });
}

}  // namespace quaver
