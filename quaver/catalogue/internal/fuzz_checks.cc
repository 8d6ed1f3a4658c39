// See fuzz_checks.h.
#include "quaver/catalogue/internal/fuzz_checks.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <nlohmann/json.hpp>

#include "quaver/base/check.h"
#include "quaver/catalogue/document_json.h"
#include "quaver/catalogue/import.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

void CheckText(const std::string& text) {
  QUAVER_CHECK(CleanUtf8(text) == text);
}

void CheckEntity(const Entity& entity) {
  QUAVER_CHECK(!entity.title.empty());
  QUAVER_CHECK(std::isfinite(entity.popularity));
  const std::string start = std::string(Name(entity.type)) + ":";
  QUAVER_CHECK(entity.id.starts_with(start));
  QUAVER_CHECK(entity.id.size() > start.size());
  for (const std::string* text :
       {&entity.id, &entity.title, &entity.artist, &entity.album, &entity.genre,
        &entity.description}) {
    CheckText(*text);
  }
  const auto again = ParseDocumentJson(EntityToJson(entity).dump());
  QUAVER_CHECK(again.ok());
  QUAVER_CHECK(*again == entity);
}

void CheckImport(std::string_view bytes, const ImportOptions& options) {
  ImportStats found;
  int64_t last_line = 0;
  ImportCallbacks callbacks;
  callbacks.entities = [&](const std::vector<Entity>& batch) {
    QUAVER_CHECK(!batch.empty() && batch.size() <= options.batch_rows);
    for (const Entity& entity : batch) CheckEntity(entity);
    found.entities += static_cast<int64_t>(batch.size());
    return absl::OkStatus();
  };
  callbacks.bad_line = [&](const BadLine& line) {
    QUAVER_CHECK(line.line > last_line && !line.reason.empty());
    last_line = line.line;
    ++found.bad_lines;
  };
  SeenIds seen;
  const auto stats =
      ReadCatalogueBytes(bytes, "fuzz", options, seen, callbacks);
  if (!stats.ok()) return;
  QUAVER_CHECK(stats->entities == found.entities);
  QUAVER_CHECK(stats->bad_lines == found.bad_lines);
}

}  // namespace

void CheckDelimited(std::string_view input) {
  const uint8_t choice = input.empty() ? 0 : static_cast<uint8_t>(input[0]);
  ImportOptions options;
  options.batch_rows = 3;
  // Bits: format, row order, prefix, forced type.
  options.format = (choice & 1) != 0 ? FileFormat::kCsv : FileFormat::kTsv;
  if ((choice & 2) != 0) options.popularity = PopularityFrom::kRowOrder;
  if ((choice & 4) != 0) options.id_prefix = "p-";
  if ((choice & 8) != 0) {
    options.type = static_cast<EntityType>((choice >> 4) % kNumEntityTypes);
  }
  CheckImport(input.substr(std::min<size_t>(1, input.size())), options);
}

void CheckJsonl(std::string_view input) {
  ImportOptions options;
  options.format = FileFormat::kJsonl;
  options.batch_rows = 3;
  CheckImport(input, options);
  const auto entity = ParseDocumentJson(input);
  if (entity.ok()) CheckEntity(*entity);
}

}  // namespace quaver
