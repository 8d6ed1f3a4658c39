// What several commands need: the models, an index opened for reading.
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

// In place of a folder: no model corrects, the index alone does.
inline constexpr char kNoCorrector[] = "none";

// The folder of the corrector that comes with the source, above the binary's
// own: <binary's folder>/../../models/corrector; kNoCorrector where there is
// none.
std::string DefaultCorrectorFolder();

inline constexpr int kMaxThreads = 1024;  // that --threads accepts

// What --threads asks for, but no more than AvailableCores(), which a warning
// says: more would only take turns. 0 stays 0.
int CappedThreads(int wanted);

// "track", "artist" ...: what options that name types accept.
std::vector<std::string> TypeNames();

// How a model computes; both are capped, without a word, to what there are
// cores for.
struct Instances {
  int count = 0;    // 0: as cores are enough for
  int threads = 1;  // that compute one call together
};

absl::StatusOr<std::shared_ptr<EncoderServable>> LoadEncoder(
    const std::string& model_folder, const Instances& instances);

// Adds the servable "corrector" and returns the search bar's configuration with
// it; without it for kNoCorrector.
absl::StatusOr<SearchConfig> LoadCorrector(const std::string& corrector_folder,
                                           const Instances& instances,
                                           ServableRegistry& servables);

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
    const std::string& index_folder, const std::string& model_folder,
    const std::string& corrector_folder = kNoCorrector);

}  // namespace quaver
