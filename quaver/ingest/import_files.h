// Catalogue files into the record, with progress and a list of bad lines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/import.h"
#include "quaver/catalogue/store.h"

namespace quaver {

struct ImportReport {
  int64_t entities = 0;
  int64_t bad_lines = 0;
  std::string rejected_file;  // where they are listed; "" without any
};

// Upserts every good line of the files, in their order, in batches that are
// durable one by one; bad lines go to `<folder>/rejected.tsv`. The first file
// that cannot be read at all ends the import and is named; what was upserted
// before stays.
absl::StatusOr<ImportReport> ImportFiles(const std::vector<std::string>& files,
                                         const ImportOptions& options,
                                         const std::string& folder,
                                         bool progress, CatalogueStore& store);

}  // namespace quaver
