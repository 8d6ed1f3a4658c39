// Readings from a dictionary: the catalogue's own words near those typed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/index/snapshot.h"
#include "quaver/search/query.h"

namespace quaver {

// Documents with a word, over all segments.
uint32_t WordDocuments(const Snapshot& snapshot, std::string_view word);
// Whether some word begins so.
bool BeginsWord(const Snapshot& snapshot, std::string_view prefix);

// Texts in which each unknown word of the query is one of the nearest words by
// hand and by ear that many documents have, two words where it splits into
// them, or one with its neighbour; a known word is itself, or one of far more
// documents that sounds the same. Likeliest first, at most `max_readings`, the
// query itself not among them. An unfinished last word that begins some word is
// known.
std::vector<std::string> ReadAsWords(const Snapshot& snapshot,
                                     const Query& query, size_t max_readings);

}  // namespace quaver
