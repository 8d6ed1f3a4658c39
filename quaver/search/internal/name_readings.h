// Readings that move a query's words onto the words of a name.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/search/query.h"
#include "quaver/search/reading.h"

namespace quaver {

// A word in normalised form, and as it is shown: in comparable form, which
// keeps letters that normalisation folds ("høiby", "fromis_9").
struct ShownWord {
  std::string_view text;
  std::string shown;
};
// Of a text's normalised form; `original` as it is written.
std::vector<ShownWord> ShownWords(std::string_view normalized,
                                  std::string_view original);

struct NameReading {
  std::string text;
  std::string shown;
  std::string completion;  // as `shown`, with the last word finished
};

// What the query is when each of its words is the nearest of `words` (a title's
// and an artist's, in order): words joined, split or shifted too; words without
// a near one stay. A word that the query has already is no other one's. The
// best alignment by letters explained. Up to four texts, likeliest first: those
// in which known words (`known`, by query word) are moved and kept, and those
// in which an unfinished last word stays unfinished and is finished.
// O(query words * words * letters).
std::vector<NameReading> ReadAsName(const Query& query,
                                    std::span<const ShownWord> typed,
                                    std::span<const Typed> known,
                                    std::span<const ShownWord> words);

}  // namespace quaver
