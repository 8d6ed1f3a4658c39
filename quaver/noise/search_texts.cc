// See search_texts.h.
#include "quaver/noise/search_texts.h"

#include <filesystem>
#include <unordered_set>

#include "quaver/base/hash.h"
#include "quaver/catalogue/import.h"
#include "quaver/catalogue/store.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

constexpr uint64_t kHeldOutOf = 100;

class Collector {
 public:
  void Add(const Entity& entity) {
    if (entity.type == EntityType::kTrack) {
      texts_.tracks.push_back({entity.title, entity.artist});
      AddOnce(entity.album, &texts_.names);
    } else if (entity.type != EntityType::kArtist) {
      AddOnce(entity.title, &texts_.names);
    }
    AddOnce(entity.genre, &texts_.tags);
    if (!entity.description.empty()) {
      texts_.descriptions.push_back(entity.description);
    }
  }

  SearchTexts Take() { return std::move(texts_); }

 private:
  void AddOnce(const std::string& text, std::vector<std::string>* to) {
    if (!text.empty() && seen_.insert(text).second) to->push_back(text);
  }

  SearchTexts texts_;
  std::unordered_set<std::string> seen_;
};

absl::Status ReadStore(const std::string& path, Collector* collector) {
  ASSIGN_OR_RETURN(const auto store, CatalogueStore::Open(path));
  return store->ForEach([&](const Entity& entity) {
    collector->Add(entity);
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<SearchTexts> ReadSearchTexts(std::span<const std::string> paths,
                                            int64_t* bad_lines) {
  Collector collector;
  SeenIds seen;
  int64_t bad = 0;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
      return absl::NotFoundError(fmt::format("{}: no such catalogue", path));
    }
    if (std::filesystem::path(path).extension() == ".db") {
      RETURN_IF_ERROR(ReadStore(path, &collector));
      continue;
    }
    ImportCallbacks callbacks;
    callbacks.entities = [&](const std::vector<Entity>& batch) {
      for (const Entity& entity : batch) collector.Add(entity);
      return absl::OkStatus();
    };
    callbacks.bad_line = [&](const BadLine&) { ++bad; };
    RETURN_IF_ERROR(ReadCatalogueFile(path, {}, seen, callbacks).status());
  }
  if (bad_lines != nullptr) *bad_lines = bad;
  SearchTexts texts = collector.Take();
  if (texts.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the catalogue holds nothing to search for",
                    fmt::join(paths, ", ")));
  }
  return texts;
}

bool IsHeldOut(std::string_view artist) {
  const std::string name = ComparableText(artist);
  return !name.empty() && Hash64(name) % kHeldOutOf == 0;
}

}  // namespace quaver
