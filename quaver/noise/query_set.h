// Query sets: what people type, and what they were looking for.
//
//   const Noise noise;
//   ASSIGN_OR_RETURN(auto rows, MakeQuerySet(SetKind::kTouch, texts, noise,
//                                            {.rows = 500, .seed = 1}));
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/noise/noise.h"
#include "quaver/noise/search_texts.h"

namespace quaver {

// What a set holds. A query names a title (70 %), an artist (10 %) or both in
// either order (20 %) unless it says otherwise.
enum class SetKind {
  kWord,     // a title, every other time with its artist; one of the title's
             // words replaced by a real human misspelling
  kArtist,   // an artist's name, one or two mistakes of hand and ear
  kTouch,    // one or two slips of the hand
  kHard,     // part of a title and mostly of the artist, two or more mistakes,
             // words joined, a filler word
  kPartial,  // part of a title with part of the artist, either order, one
             // mistake
  kPrefix,   // touch, stopped inside the last word
  kClean,    // untouched
  kBroad,    // some words of a description or tag, one or two of them replaced
             // by real human misspellings; names no track
  kUnseen,   // touch, of the artists that are kept out of training
  kUnseenPartial,  // partial, of the same artists
  // As partial, prefix and broad, but without mistakes: a corrector that has
  // only seen what is wrong or whole names "mends" these.
  kCleanPartial,
  kCleanPrefix,
  kCleanBroad
};
inline constexpr SetKind kAllSetKinds[] = {
    SetKind::kWord,          SetKind::kArtist,       SetKind::kTouch,
    SetKind::kHard,          SetKind::kPartial,      SetKind::kPrefix,
    SetKind::kClean,         SetKind::kBroad,        SetKind::kUnseen,
    SetKind::kUnseenPartial, SetKind::kCleanPartial, SetKind::kCleanPrefix,
    SetKind::kCleanBroad};

// Whether its queries are without mistakes.
bool IsClean(SetKind kind);

// "word", "artist", ...
std::string_view Name(SetKind kind);
// InvalidArgument listing the names there are.
absl::StatusOr<SetKind> ParseSetKind(std::string_view name);

struct QueryRow {
  std::string query;
  std::string corrected;  // the query without its mistakes, not completed
  std::string title;   // the target's; empty when any of the artist's will do
  std::string artist;  // empty when only the correction counts

  bool operator==(const QueryRow&) const = default;
};

struct QuerySetConfig {
  size_t rows = 500;
  uint64_t seed = 1;
  // The target is the track of rank N * u^bias, u uniform: with 3, half of the
  // targets are in the best-known eighth and a fifth in the lesser half.
  double popularity_bias = 3;
};

// Rows with distinct queries; the same for equal arguments, everywhere.
// InvalidArgument for no rows, FailedPrecondition when the texts (or, for kWord
// and kBroad, the misspellings) do not yield enough rows.
absl::StatusOr<std::vector<QueryRow>> MakeQuerySet(
    SetKind kind, const SearchTexts& texts, const Noise& noise,
    const QuerySetConfig& config);

}  // namespace quaver
