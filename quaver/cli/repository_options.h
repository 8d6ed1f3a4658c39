// The model repository as quaver serve opens it: options with Triton's words
// and meaning.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "quaver/base/status.h"
#include "quaver/sched/response_cache.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/model_repository.h"

namespace quaver {

struct RepositoryOptions {
  std::vector<std::string> folders;
  std::string control_mode = "none";
  std::vector<std::string> load_models;
  int poll_secs = 15;
  bool exit_on_error = true;
  bool strict_readiness = true;
  bool disable_auto_complete = false;
  bool strict_model_config = false;  // the same, by its former name
  int load_threads = 4;
  int load_retries = 0;
  std::string config_name;
  std::vector<std::string> host_policies;
  std::vector<std::string> cache_configs;
  std::vector<std::string> backend_configs;  // taken, not followed
};

void AddRepositoryOptions(CLI::App& command, RepositoryOptions& options);

// The cache of answers that --cache-config asks for; null: none.
// InvalidArgument names the option.
absl::StatusOr<std::shared_ptr<ResponseCache>> MakeCache(
    const RepositoryOptions& options);

// With the backends of backends.h; loads nothing. InvalidArgument names the
// option. `models` outlives it.
absl::StatusOr<std::unique_ptr<ModelRepository>> OpenRepository(
    const RepositoryOptions& options, std::shared_ptr<ResponseCache> cache,
    KserveModels& models);

// Loads what is to be loaded at the start. A model that fails is an error only
// where options say so; it is logged and in the index anyway.
absl::Status StartRepository(const RepositoryOptions& options,
                             ModelRepository& repository);

}  // namespace quaver
