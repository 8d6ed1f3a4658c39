// See suggester.h.
#include "quaver/search/suggester.h"

#include <algorithm>
#include <set>
#include <utility>

#include "quaver/search/acceptor.h"
#include "quaver/search/highlight.h"
#include "quaver/search/ranker.h"
#include "quaver/search/retriever.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Places kept for what is near in meaning, once there are completions for all.
constexpr int kMeaningPlaces = 1;
// Below this cosine two texts share no more than their language.
constexpr float kLeastCosine = 0.35f;
// Below this rank score an alike name is another name.
constexpr float kLeastAlike = 0.55f;

struct Found {
  size_t part = 0;  // of the snapshot
  uint32_t doc = 0;
  float score = 0;
};

void SortBest(std::vector<Found>& found) {
  std::stable_sort(
      found.begin(), found.end(),
      [](const Found& a, const Found& b) { return a.score > b.score; });
}

// Suggestions in the making: at most `count`, each text once.
class List {
 public:
  List(const Snapshot& snapshot, const Query& query, size_t count)
      : snapshot_(snapshot), query_(query), count_(count) {}

  void Add(const std::vector<Found>& found, bool completion, size_t limit) {
    limit = std::min(limit, count_);
    for (const Found& candidate : found) {
      if (suggestions_.size() >= limit) return;
      AddOne(candidate, completion);
    }
  }
  size_t size() const { return suggestions_.size(); }
  std::vector<Suggestion> Take() { return std::move(suggestions_); }

 private:
  void AddOne(const Found& found, bool completion) {
    const Segment& segment = *snapshot_.segments[found.part].segment;
    const DocumentView document = segment.document(found.doc);
    if (!texts_.insert(Normalize(document.title)).second) return;
    Suggestion suggestion{.text = std::string(document.title),
                          .type = static_cast<EntityType>(document.type),
                          .id = std::string(document.id),
                          .title = std::string(document.title),
                          .artist = std::string(document.artist),
                          .completion = completion,
                          .score = found.score,
                          .highlights = {}};
    AddHighlights(query_, "title", suggestion.title, suggestion.highlights);
    suggestions_.push_back(std::move(suggestion));
  }

  const Snapshot& snapshot_;
  const Query& query_;
  size_t count_;
  std::set<std::string> texts_;
  std::vector<Suggestion> suggestions_;
};

// An artist whose whole name was typed comes before songs of that name.
bool IsNamedArtist(const Segment& segment, uint32_t doc, const Query& query) {
  const LexicalIndex& lexical = segment.lexical();
  const uint32_t title = lexical.title_names()[doc];
  return segment.types()[doc] == static_cast<uint8_t>(EntityType::kArtist) &&
         title != kNoName && lexical.name(title) == query.normalized;
}

std::vector<Found> Completions(const Snapshot& snapshot, const Query& query,
                               int count) {
  std::vector<Found> found;
  for (size_t i = 0; i < snapshot.segments.size(); ++i) {
    const AcceptDoc accept = MakeAcceptor(snapshot.segments[i], {}, {});
    const Segment& segment = *snapshot.segments[i].segment;
    // Titles repeat (covers, albums of the same name): ask for more.
    for (const LegHit& hit :
         RetrievePrefix(segment, query, 4 * count, accept)) {
      const float bonus = IsNamedArtist(segment, hit.doc, query) ? 1 : 0;
      found.push_back({i, hit.doc, hit.score + bonus});
    }
  }
  SortBest(found);
  return found;
}

std::vector<Found> Alike(const Snapshot& snapshot, const Query& query) {
  RetrieverConfig config;
  config.name_candidates.fill(20);
  config.other_candidates.fill(0);
  RetrieverScratch scratch;
  std::vector<Found> found;
  for (size_t i = 0; i < snapshot.segments.size(); ++i) {
    const Segment& segment = *snapshot.segments[i].segment;
    const AcceptDoc accept = MakeAcceptor(snapshot.segments[i], {}, {});
    const std::vector<Candidate> candidates =
        RetrieveByWords(config, segment, query, accept, scratch);
    const std::vector<Features> features =
        ExtractFeatures(segment, query, {}, candidates);
    for (size_t k = 0; k < candidates.size(); ++k) {
      const float score = RankScore(features[k]);
      if (score >= kLeastAlike) found.push_back({i, candidates[k].doc, score});
    }
  }
  SortBest(found);
  return found;
}

std::vector<Found> Related(const Snapshot& snapshot,
                           std::span<const float> embedding, int count) {
  std::vector<Found> found;
  if (embedding.empty()) return found;
  VectorParams params;
  params.num_results = static_cast<size_t>(count);
  for (size_t i = 0; i < snapshot.segments.size(); ++i) {
    const VectorIndex* vectors = snapshot.segments[i].segment->vectors();
    if (vectors == nullptr) continue;
    const AcceptDoc accept = MakeAcceptor(snapshot.segments[i], {}, {});
    for (const VectorHit& hit : vectors->Search(embedding, params, accept)) {
      if (hit.score >= kLeastCosine) found.push_back({i, hit.item, hit.score});
    }
  }
  SortBest(found);
  return found;
}

}  // namespace

std::vector<Suggestion> MakeSuggestions(const Snapshot& snapshot,
                                        const Query& query,
                                        std::span<const float> embedding,
                                        int count) {
  const auto places = static_cast<size_t>(count);
  List list(snapshot, query, places);
  const std::vector<Found> related = Related(snapshot, embedding, count);
  const size_t reserved = related.empty() ? 0 : kMeaningPlaces;
  list.Add(Completions(snapshot, query, count), true, places - reserved);
  if (list.size() < places - reserved) {
    list.Add(Alike(snapshot, query), true, places - reserved);
  }
  list.Add(related, false, places);
  return list.Take();
}

}  // namespace quaver
