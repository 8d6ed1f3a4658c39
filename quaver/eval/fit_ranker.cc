// Collects the ranking function's features over query sets, and fits it.
#include <memory>

#include "quaver/eval/fit.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

bool IsRight(const QueryRow& row, const Hit& hit) {
  return ComparableText(hit.artist) == ComparableText(row.artist) &&
         (row.title.empty() ||
          ComparableText(hit.title) == ComparableText(row.title));
}

FitQuery MakeQuery(const QueryRow& row, const SearchResponse& response) {
  FitQuery query;
  for (const Section& section : response.sections) {
    if (section.type != EntityType::kTrack) continue;
    for (const Hit& hit : section.hits) {
      FitCandidate candidate;
      for (const auto& [name, value] : hit.features) {
        candidate.features.push_back(static_cast<float>(value));
      }
      candidate.right = IsRight(row, hit);
      query.candidates.push_back(std::move(candidate));
    }
  }
  return query;
}

std::vector<std::string> FeatureNames(const SearchResponse& response) {
  std::vector<std::string> names;
  for (const Section& section : response.sections) {
    if (section.type != EntityType::kTrack || section.hits.empty()) continue;
    for (const auto& [name, value] : section.hits[0].features) {
      names.push_back(name);
    }
    return names;
  }
  return names;
}

// Adds all queries of the sets; makes the fitter at the first answer that has
// a track.
absl::Status Collect(const FitRankerConfig& config,
                     const std::vector<QuerySet>& sets, bool train,
                     std::unique_ptr<RankingFitter>& fitter) {
  for (const QuerySet& set : sets) {
    for (const QueryRow& row : set.rows) {
      auto response = config.search(row.query);
      if (!response.ok()) {
        return Annotate(response.status(),
                        fmt::format("{}, query '{}'", set.name, row.query));
      }
      if (!fitter) {
        auto names = FeatureNames(*response);
        if (!names.empty()) {
          fitter = std::make_unique<RankingFitter>(std::move(names));
        }
      }
      if (!fitter) continue;
      FitQuery query = MakeQuery(row, *response);
      query.train = train;
      query.weight = 1.0 / static_cast<double>(set.rows.size());
      RETURN_IF_ERROR(Annotate(fitter->Add(query), row.query));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FitReport> FitRanker(const FitRankerConfig& config) {
  std::unique_ptr<RankingFitter> fitter;
  RETURN_IF_ERROR(Collect(config, config.train, true, fitter));
  RETURN_IF_ERROR(Collect(config, config.held, false, fitter));
  if (!fitter) {
    return absl::FailedPreconditionError(
        "no answer has a track with features; search with explain=true over "
        "an index with tracks");
  }
  return fitter->Fit(config.fit);
}

}  // namespace quaver
