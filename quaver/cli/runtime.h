// What several commands need: the encoder, an index opened for reading.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quaver/backends/encoder_servable.h"
#include "quaver/base/status.h"
#include "quaver/index/manifest.h"
#include "quaver/sched/servable.h"
#include "quaver/search/search_bar.h"

namespace quaver {

// The folder that `make setup` installs the encoder into, beside the binary's
// own: <binary's folder>/../models/minilm.
std::string DefaultModelFolder();

inline constexpr int kMaxThreads = 1024;  // that --threads accepts

// "track", "artist" ...: what options that name types accept.
std::vector<std::string> TypeNames();

absl::StatusOr<std::shared_ptr<EncoderServable>> LoadEncoder(
    const std::string& model_folder, int num_instances);

// A search bar over an index folder that is only read; a server may have it
// open for writing at the same time, later writes are not seen.
struct ReadOnlySearch {
  Manifest manifest;
  ServableRegistry servables;
  std::shared_ptr<const Snapshot> snapshot;
  std::unique_ptr<SearchBar> bar;
};

// FailedPrecondition when the index was made with another encoder.
absl::StatusOr<std::unique_ptr<ReadOnlySearch>> OpenReadOnly(
    const std::string& index_folder, const std::string& model_folder);

}  // namespace quaver
