// The program `quaver-train`.
#include <malloc.h>

#include <cstdio>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "quaver/train/noise_command.h"
#include "quaver/train/torch/answer.h"
#include "quaver/train/torch/bench.h"
#include "quaver/train/torch/run.h"
#include "quaver/train/torch/tensor_memory.h"

namespace {

using quaver::CorrectorOptions;
using Action = std::function<absl::Status()>;

constexpr char kFooter[] =
    "Exit status: 0 success; 1 the command failed, a message says why; 2 the "
    "command line was not understood; 3 stopped by a signal or for want of "
    "another process, --resume goes on.\n"
    "Environment: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT as torchrun sets "
    "them join several processes.";

void AddCorrector(CLI::App& app, Action& action) {
  const auto options = std::make_shared<CorrectorOptions>();
  CLI::App* command =
      app.add_subcommand("corrector", "Train a spelling corrector");
  command->add_option("--catalogue", options->catalogue,
                      "catalogue.db or files (TSV, CSV, JSONL), best known "
                      "first");
  command->add_option("--pairs", options->pairs,
                      "TSV of typed and meant queries to learn instead");
  command->add_option("--out", options->out, "Folder of the model")->required();
  command
      ->add_option("--preset", options->preset,
                   "tiny, small, base, or bench: the shape of "
                   "`quaver-train bench --preset small`")
      ->capture_default_str();
  command->add_option("--config", options->config,
                      "JSON file with fields of the recipe");
  command->add_option("--from", options->from,
                      "Hugging Face BART folder to fine-tune");
  command->add_option("--tokenizer", options->tokenizer,
                      "Folder with a tokenizer to use; else one is trained");
  command->add_option("--misspellings", options->misspellings,
                      "TSV of wrong and right words that mistakes include");
  command->add_option("--steps", options->steps, "Updates; 0: as the recipe");
  command
      ->add_option("--minutes", options->minutes,
                   "Ends after so many of training, sittings before "
                   "--resume included; 0: no limit")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--device", options->device, "auto, cpu or cuda")
      ->capture_default_str();
  command->add_option("--workers", options->workers,
                      "Parts that a batch is computed in, which share the "
                      "cores; 0: one a core");
  command->add_flag("--resume", options->resume, "Go on with the run in --out");
  command->add_flag("--force", options->force, "Replace what is in --out");
  command->callback([&action, options] {
    action = [options] { return quaver::TrainCorrector(*options); };
  });
}

void AddAnswer(CLI::App& app, Action& action) {
  const auto options = std::make_shared<quaver::AnswerOptions>();
  CLI::App* command =
      app.add_subcommand("answer", "Correct standard input, line by line");
  command->add_option("--model", options->model, "Folder of the model")
      ->required();
  command->add_option("--precision", options->precision, "fp32 or bf16")
      ->capture_default_str();
  command->callback([&action, options] {
    action = [options] {
      return quaver::AnswerLines(*options, std::cin, std::cout);
    };
  });
}

void AddBench(CLI::App& app, Action& action) {
  const auto options = std::make_shared<quaver::TrainBenchOptions>();
  CLI::App* command = app.add_subcommand(
      "bench", "Useful tokens a second, one change after the other");
  command
      ->add_option("--preset", options->preset,
                   "small (256 wide, 3 + 3 layers) or base (bart-base)")
      ->capture_default_str();
  command->add_option("--rival-tokens-per-s", options->rival_tokens_per_s,
                      "What another trainer's fp32 recipe of 32 pairs reached");
  command->add_option("--rounds", options->rounds, "Medians of so many")
      ->capture_default_str();
  command->add_option("--seconds", options->seconds, "Of a rung, at least")
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object, last line");
  command->callback([&action, options] {
    action = [options] { return quaver::RunTrainBench(*options, std::cout); };
  });
}

void AddNoise(CLI::App& app, Action& action) {
  const auto show = std::make_shared<quaver::ShowNoiseOptions>();
  const auto fit = std::make_shared<quaver::FitNoiseOptions>();
  CLI::App* command = app.add_subcommand(
      "noise", "Show training pairs, or fit how writers misspell");
  auto* catalogue = command->add_option("--catalogue", show->catalogue,
                                        "catalogue.db or files");
  command->add_option("--show", show->show, "Pairs to print")
      ->capture_default_str();
  command->add_option("--seed", show->seed, "Of the pairs")
      ->capture_default_str();
  command->add_option("--misspellings", show->misspellings,
                      "TSV of wrong and right words");
  auto* pairs = command->add_option(
      "--fit", fit->pairs,
      "Files of wrong TAB right words: prints a table of confusions instead");
  command->add_option("--least", fit->least, "Examples that a rule needs")
      ->capture_default_str();
  command->add_option("--max-rules", fit->max_rules, "Rules at most")
      ->capture_default_str();
  catalogue->excludes(pairs);
  command->callback([&action, show, fit, catalogue, pairs] {
    if (catalogue->count() + pairs->count() == 0) {
      throw CLI::RequiredError("--catalogue or --fit");
    }
    action = [show, fit] {
      return fit->pairs.empty() ? quaver::ShowNoise(*show, std::cout)
                                : quaver::FitNoise(*fit, std::cout);
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  // Every step allocates what the one before freed: give nothing back to the
  // system between them.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  quaver::KeepTensorMemory();
  CLI::App app("Trains spelling correctors.", "quaver-train");
  app.require_subcommand(1);
  app.footer(kFooter);
  app.set_version_flag("--version", "quaver-train " QUAVER_VERSION);
  Action action;
  AddCorrector(app, action);
  AddNoise(app, action);
  AddBench(app, action);
  AddAnswer(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  absl::Status status;
  try {
    status = action();
  } catch (const std::exception& error) {
    status = absl::InternalError(error.what());
  }
  if (status.ok() && !std::cout.flush()) {
    status = absl::ResourceExhaustedError("cannot write to standard output");
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "quaver-train: %s\n", quaver::Message(status).c_str());
  return absl::IsCancelled(status) || absl::IsAborted(status) ? 3 : 1;
}
