// `quaver-train corrector`: a whole run, from a catalogue to a model's folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

struct CorrectorOptions {
  std::vector<std::string> catalogue;  // for ReadSearchTexts
  std::string pairs;  // a file of typed TAB meant to learn instead
  std::string out;
  std::string preset = "small";
  std::string config;        // JSON file of recipe fields, goes before preset
  std::string from;          // a Hugging Face BART folder to fine-tune
  std::string tokenizer;     // a folder with one to use; "": train one
  std::string misspellings;  // for Misspellings::Load; "": our own
  std::string device = "auto";
  int workers = 0;     // 0: as many as there are cores
  int64_t steps = 0;   // 0: as the recipe says
  double minutes = 0;  // of training, all sittings together; 0: no limit
  bool resume = false;
  bool force = false;  // replace what is in `out`
};

// What `out` gets: the model's files (of the best evaluation so far),
// report.html, metrics.jsonl and checkpoint.safetensors, from which `resume`
// goes on bit for bit on the same machine. Writes a progress line to standard
// error.
//
// Errors before anything is trained: AlreadyExists for an `out` that is not
// empty without resume or force; FailedPrecondition for a resumed run with
// other settings (naming them), a device that is not there; InvalidArgument for
// a recipe, catalogue, checkpoint or tokenizer that does not fit. While
// training: Internal naming step and pairs when a gradient is no number;
// Aborted when another process is gone; Cancelled after SIGINT or SIGTERM. The
// state of the last complete step is saved then.
absl::Status TrainCorrector(const CorrectorOptions& options);

}  // namespace quaver
