// An index that is written to while it is read.
//
//   ASSIGN_OR_RETURN(auto index, LiveIndex::Open(config, encoder, kernels));
//   RETURN_IF_ERROR(index->Upsert(entities).status());  // durable
//   index->snapshot();                                  // a moment later
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quaver/artifact/model_identity.h"
#include "quaver/base/clock.h"
#include "quaver/base/metrics.h"
#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"
#include "quaver/index/snapshot.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct LiveIndexConfig {
  std::string folder;              // catalogue.db, segments, index.json
  ModelIdentity model;             // of the encoder
  size_t flush_documents = 2'000;  // the delta becomes a segment file
  size_t max_segments = 8;         // more are merged in the background
};

struct IndexStats {
  uint64_t documents[kNumEntityTypes] = {};  // alive, by type
  uint64_t sequence = 0;                     // searchable up to
  uint64_t last_sequence = 0;                // committed up to
  int segments = 0;
  uint64_t delta_documents = 0;
  uint64_t vectors = 0;
};

// A write is acknowledged once SQLite has committed it; one worker embeds it,
// adds it to the delta and publishes a new snapshot by one pointer swap. Too
// many segments are merged aside by a second thread. At start, changes newer
// than the index are replayed. What fails, as on a full disk, is tried again
// every second; nothing that was acknowledged is lost. Thread-safe.
class LiveIndex {
 public:
  // NotFound when the folder holds no index, FailedPrecondition when another
  // process has it open for writing, the encoder differs from the index's or
  // the catalogue is older than the index. Names the file that is damaged.
  static absl::StatusOr<std::unique_ptr<LiveIndex>> Open(
      const LiveIndexConfig& config, std::shared_ptr<Servable> encoder,
      Metrics& metrics);
  virtual ~LiveIndex() = default;  // finishes the changes at hand and a merge

  virtual absl::StatusOr<uint64_t> Upsert(
      const std::vector<Entity>& entities) = 0;
  virtual absl::StatusOr<bool> Delete(const std::string& id) = 0;
  virtual absl::StatusOr<Entity> Get(const std::string& id) = 0;
  virtual std::shared_ptr<const Snapshot> snapshot() const = 0;
  virtual absl::StatusOr<IndexStats> Stats() = 0;
  // Blocks until `sequence` is searchable or the worker failed. For tests and
  // for callers that want to read their writes.
  virtual absl::Status WaitFor(uint64_t sequence) = 0;
};

}  // namespace quaver
