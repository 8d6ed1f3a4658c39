// What a catalogue holds that people search for, as texts.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

struct TrackName {
  std::string title;
  std::string artist;
};

// As their owner wrote them.
struct SearchTexts {
  std::vector<TrackName> tracks;   // best known first
  std::vector<std::string> names;  // of albums, shows, episodes, playlists
  std::vector<std::string> descriptions;
  std::vector<std::string> tags;  // genres, moods, categories

  size_t size() const {
    return tracks.size() + names.size() + descriptions.size() + tags.size();
  }
  bool empty() const {
    return tracks.empty() && names.empty() && descriptions.empty();
  }
};

// Reads catalogues one after the other: a database that ingest made
// (catalogue.db), best known first, or files as catalogue/import.h reads them,
// in their order. Names and tags are listed once, descriptions as often as they
// stand. Errors of ReadCatalogueFile; InvalidArgument, naming the files, when
// they hold nothing; bad lines are left out and counted in `bad_lines`.
absl::StatusOr<SearchTexts> ReadSearchTexts(std::span<const std::string> paths,
                                            int64_t* bad_lines = nullptr);

// One artist in a hundred is kept out of training, so that names which a model
// never saw can be asked for: always the same ones.
bool IsHeldOut(std::string_view artist);

}  // namespace quaver
