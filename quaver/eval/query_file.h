// Files of query sets and what they are made of.
//
// A set is a TSV file without a heading, one query a row: query, corrected
// query, target title (may be empty), target artist.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/noise/query_set.h"

namespace quaver {

struct QuerySet {
  std::string name;  // the file's, without ".tsv"
  std::vector<QueryRow> rows;
};

// InvalidArgument naming the line that has not four columns.
absl::StatusOr<QuerySet> ReadQuerySet(const std::string& path);
// Every *.tsv of a folder by name, or the one file; NotFound when there is
// none.
absl::StatusOr<std::vector<QuerySet>> ReadQuerySets(const std::string& path);
// Tabs and line ends inside a field become spaces.
absl::Status WriteQuerySet(const std::string& folder, const QuerySet& set);

struct MakeSetsConfig {
  std::vector<std::string> catalogue;  // for ReadSearchTexts
  std::string folder;                  // written to, made when absent
  std::string misspellings;  // for Misspellings::Load; "": the small own list
  std::vector<SetKind> kinds{std::begin(kAllSetKinds), std::end(kAllSetKinds)};
  QuerySetConfig set;
};

// Makes and writes the sets; returns them. A catalogue without descriptions
// gets no sets `broad` and `clean_broad`, one with too few artists that are
// kept out neither `unseen` nor `unseen_partial`.
absl::StatusOr<std::vector<QuerySet>> MakeSets(const MakeSetsConfig& config);

}  // namespace quaver
