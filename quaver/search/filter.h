// Which documents a search may return: "genre:Rock;year:1980..1989".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

// All conditions must hold. Text is compared normalised.
struct Filter {
  std::vector<std::string> genres;   // any of; empty: all
  std::vector<std::string> artists;  // any of; empty: all
  std::vector<std::string> types;    // any of; empty: all
  std::optional<int> min_year;       // a document without a year fails
  std::optional<int> max_year;

  bool accepts_all() const {
    return genres.empty() && artists.empty() && types.empty() && !min_year &&
           !max_year;
  }
};

// Conditions are joined by ';', alternatives by '|': genre:Rock|Pop, artist:X,
// type:track|album, year:1985, year:1980..1989, year:1980.., year:..1989.
// InvalidArgument naming the condition that is not understood. "" accepts all.
absl::StatusOr<Filter> ParseFilter(std::string_view text);

}  // namespace quaver
