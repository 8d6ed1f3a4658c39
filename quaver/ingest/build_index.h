// The whole index from the catalogue's record.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "quaver/artifact/model_identity.h"
#include "quaver/base/status.h"
#include "quaver/catalogue/store.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct BuildOptions {
  std::string folder;     // of the index; its lock is the caller's
  ModelIdentity model;    // of the encoder
  int num_threads = 0;    // 0: AvailableCores()
  bool progress = false;  // draw progress bars
};

struct BuildReport {
  size_t documents = 0;
  size_t embedded = 0;  // texts that went through the encoder
  size_t reused = 0;    // texts whose embedding the old index or a former,
                        // interrupted build had
};

// Makes one segment of all entities and replaces index.json: a crash or a full
// disk leaves the old index in place. Embeddings of unchanged texts are taken
// from the old index; those of an interrupted build are kept in
// `embeddings.partial` and taken from there by the next. Holds all documents in
// memory: about 3 KB each.
absl::StatusOr<BuildReport> BuildIndex(const BuildOptions& options,
                                       CatalogueStore& store,
                                       Servable& encoder);

}  // namespace quaver
