// What a Python model is told, and how much it may take.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/batching.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Calls a model for a model. `version` is "" for the newest. Called from
// several threads at once.
using ModelCaller = std::function<absl::StatusOr<Tensors>(
    const std::string& model, const std::string& version,
    const Tensors& request, const CallOptions& options)>;

// Whether a model can be asked. `version` as above; called likewise.
using ModelReady =
    std::function<bool(const std::string& model, const std::string& version)>;

struct PythonConfig {
  std::string model_name;
  int64_t version = 1;
  std::string model_folder;        // <repository>/<model>
  std::string version_folder;      // <repository>/<model>/<version>
  std::string script;              // in the version's folder; "": model.py
  std::string model_config;        // JSON, in Triton's form
  std::vector<TensorSpec> inputs;  // the batch dimension included
  std::vector<TensorSpec> outputs;
  int max_batch_size = 0;  // rows of a batch; 0: tensors have no such dimension
  // Nothing: a call at a time.
  std::optional<DynamicBatching> batching;
  std::vector<std::string> ragged;  // inputs, see BatchingConfig
  int num_instances = 1;            // processes; 0: AvailableCores()
  // Process i runs on cores[i modulo their number], counted within the
  // affinity mask. Empty: anywhere.
  std::vector<int> cores;

  // A program, by path or to be found in PATH, or the folder of an environment
  // that has bin/python3. "$$TRITON_MODEL_DIRECTORY" in it is the model's
  // folder.
  std::string interpreter = "python3";
  // Asks auto_complete_config. Where that changes model_config, tensors,
  // max_batch_size and batching become what it says.
  bool auto_complete = true;
  int64_t max_memory_bytes = 0;  // address space of a process; 0: no limit

  int64_t start_limit_us = 300'000'000;    // of the script and initialize()
  int64_t execute_limit_us = 300'000'000;  // of a batch, deadlines or none
  // Of finalize(), and of a batch that nobody waits for when the model goes.
  int64_t finalize_limit_us = 5'000'000;
  int64_t backoff_us = 100'000;  // before a restart; doubles with each failure
  int max_failures = 5;          // in a row, before calls are refused at once
  // For a free process, where a model calls a model: they may wait for each
  // other in a circle.
  int64_t nested_wait_us = 2'000'000;

  ModelCaller call_model;  // null: there are no other models
  ModelReady is_ready;     // likewise
};

}  // namespace quaver
