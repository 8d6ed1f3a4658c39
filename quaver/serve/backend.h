// How a model's files become a servable: one factory a backend, registered by
// the program, as this room knows no models.
//
//   BackendFactories backends;
//   backends["identity"] = [](const BackendRequest& request) -> ... {};
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_model.h"

namespace quaver {

struct BackendRequest {
  const ModelConfig& config;
  // What `config` becomes; a backend whose files say more may add it.
  ModelConfig& completed;
  std::string model_folder;    // <repository>/<model>
  std::string version_folder;  // <repository>/<model>/<version>
  bool auto_complete = true;   // files may say what the configuration does not
};

// Loads a version. Called from several threads at once; what the request
// refers to does not outlive the call. An error says what is wrong with which
// file.
using BackendFactory = std::function<absl::StatusOr<std::shared_ptr<Servable>>(
    const BackendRequest&)>;

using BackendFactories = std::map<std::string, BackendFactory>;  // by "backend"

// What the server has to know of a backend beside how it is made.
struct BackendTraits {
  // Makes its instances and reads dynamic_batching by itself. Otherwise the
  // server batches before it, where dynamic_batching asks for that, and lets as
  // many calls in at once as there are instances, where groups are configured.
  bool schedules = false;
  // That a configuration gets which names neither it nor inputs and outputs.
  int max_batch_size = 0;
};

struct Backends {
  BackendFactories factories;
  std::map<std::string, BackendTraits> traits;  // by backend; default: none
  // The backend of a version folder whose configuration names none. NotFound
  // when nothing in it is known.
  std::function<absl::StatusOr<std::string>(const std::string& version_folder)>
      recognise;
};

}  // namespace quaver
