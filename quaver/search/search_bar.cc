// See search_bar.h.
#include "quaver/search/search_bar.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "quaver/base/clock.h"
#include "quaver/base/cores.h"
#include "quaver/base/mutex.h"
#include "quaver/search/acceptor.h"
#include "quaver/search/corrector.h"
#include "quaver/search/highlight.h"
#include "quaver/search/internal/meaning.h"
#include "quaver/search/query.h"
#include "quaver/search/query_encoder.h"
#include "quaver/search/ranker.h"
#include "quaver/search/retriever.h"
#include "quaver/search/suggester.h"

namespace quaver {
namespace {

// Hits below this share of the best score are not shown: they share a few
// letters with the query and no more.
constexpr double kLeastShare = 0.55;
// Nor are hits below this: a query of noise finds nothing.
constexpr double kLeastScore = 0.3;
// Suggestions near in meaning need a query that can mean something.
constexpr int kLeastMeaningLetters = 3;
constexpr size_t kMaxFacetValues = 50;
// Who types an artist's whole name and nothing else mostly means the artist,
// rather than a song that mentions the name.
constexpr double kArtistBonus = 0.05;
// Hits that a correction is looked for among.
constexpr size_t kMaxNear = 24;
// They are among the first, of each type, of the legs names, prefix and words.
constexpr std::array<uint16_t, 3> kFirstOfLegs = {48, 8, 12};

// A candidate with its score.
struct Ranked {
  size_t part = 0;  // of the snapshot
  Candidate candidate;
  Features features = {};
  double score = 0;
};

using RankedByType = std::array<std::vector<Ranked>, kNumEntityTypes>;
using SegmentCandidates = std::vector<std::vector<Candidate>>;

// Scratch arrays that are handed out and come back.
class ScratchPool {
 public:
  std::unique_ptr<RetrieverScratch> Take() {
    MutexLock lock(&mutex_);
    if (free_.empty()) return std::make_unique<RetrieverScratch>();
    auto scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }
  void Return(std::unique_ptr<RetrieverScratch> scratch) {
    MutexLock lock(&mutex_);
    free_.push_back(std::move(scratch));
  }

 private:
  Mutex mutex_;
  std::vector<std::unique_ptr<RetrieverScratch>> free_ ABSL_GUARDED_BY(mutex_);
};

absl::Status CheckRange(const char* field, int value, int least, int most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "{} is {}, but must be from {} to {}", field, value, least, most));
}

// Best first; equals by type, then by popularity.
bool Better(const Ranked& a, const Ranked& b) {
  if (a.score != b.score) return a.score > b.score;
  if (a.part != b.part) return a.part > b.part;  // newer first
  return a.candidate.doc < b.candidate.doc;
}

std::vector<LegScore> ExplainLegs(const Candidate& candidate) {
  std::vector<LegScore> legs;
  for (int leg = 0; leg < kNumLegs; ++leg) {
    if (candidate.ranks[leg] == 0) continue;
    legs.push_back({Name(static_cast<Leg>(leg)), candidate.ranks[leg],
                    candidate.scores[leg]});
  }
  return legs;
}

Hit MakeHit(const Snapshot& snapshot, const Query& query, const Ranked& ranked,
            bool explain) {
  const Segment& segment = *snapshot.segments[ranked.part].segment;
  const DocumentView document = segment.document(ranked.candidate.doc);
  Hit hit{.type = static_cast<EntityType>(document.type),
          .id = std::string(document.id),
          .title = std::string(document.title),
          .artist = std::string(document.artist),
          .album = std::string(document.album),
          .genre = std::string(document.genre),
          .description = std::string(document.description),
          .year = document.year,
          .popularity = document.popularity,
          .score = ranked.score,
          .highlights = {},
          .legs = {},
          .features = {}};
  AddHighlights(query, "title", hit.title, hit.highlights);
  AddHighlights(query, "artist", hit.artist, hit.highlights);
  AddHighlights(query, "album", hit.album, hit.highlights);
  if (!explain) return hit;
  hit.legs = ExplainLegs(ranked.candidate);
  for (int i = 0; i < kNumFeatures; ++i) {
    hit.features.emplace_back(Name(static_cast<Feature>(i)),
                              ranked.features[i]);
  }
  return hit;
}

// Drops what is too far below the best of all types.
void CutWeak(RankedByType& ranked) {
  double best = kLeastScore / kLeastShare;
  for (const auto& list : ranked) {
    if (!list.empty()) best = std::max(best, list[0].score);
  }
  for (auto& list : ranked) {
    const auto weak = std::find_if(
        list.begin(), list.end(),
        [best](const Ranked& r) { return r.score < kLeastShare * best; });
    list.erase(weak, list.end());
  }
}

std::vector<FacetCount> Sorted(const std::map<std::string, int64_t>& counts) {
  std::vector<FacetCount> facet;
  for (const auto& [value, count] : counts) facet.push_back({value, count});
  std::stable_sort(facet.begin(), facet.end(),
                   [](const FacetCount& a, const FacetCount& b) {
                     return a.count > b.count;
                   });
  if (facet.size() > kMaxFacetValues) facet.resize(kMaxFacetValues);
  return facet;
}

void CountFacets(const Snapshot& snapshot, const RankedByType& ranked,
                 SearchResponse& response) {
  std::map<std::string, std::map<std::string, int64_t>> counts;
  for (const auto& list : ranked) {
    for (const Ranked& item : list) {
      const DocumentView document =
          snapshot.segments[item.part].segment->document(item.candidate.doc);
      ++counts["type"]
              [std::string(Name(static_cast<EntityType>(document.type)))];
      if (!document.genre.empty()) {
        ++counts["genre"][std::string(document.genre)];
      }
      if (document.year != 0) ++counts["year"][std::to_string(document.year)];
    }
  }
  for (const char* facet : {"type", "genre", "year"}) {
    response.facets[facet] = Sorted(counts[facet]);
  }
}

void FillSections(const Snapshot& snapshot, const Query& query,
                  const SearchRequest& request, const RankedByType& ranked,
                  SearchResponse& response) {
  std::vector<int> order;
  for (int type = 0; type < kNumEntityTypes; ++type) {
    if (!ranked[type].empty()) order.push_back(type);
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return ranked[a][0].score > ranked[b][0].score;
  });
  if (!order.empty()) {
    response.best =
        MakeHit(snapshot, query, ranked[order[0]][0], request.explain);
  }
  for (const int type : order) {
    const std::vector<Ranked>& list = ranked[type];
    Section section{.type = static_cast<EntityType>(type),
                    .num_matches = static_cast<int64_t>(list.size()),
                    .hits = {}};
    const size_t begin = std::min<size_t>(request.offset, list.size());
    const size_t end = std::min<size_t>(begin + request.limit, list.size());
    for (size_t i = begin; i < end; ++i) {
      section.hits.push_back(
          MakeHit(snapshot, query, list[i], request.explain));
    }
    response.sections.push_back(std::move(section));
  }
}

}  // namespace

struct SearchBar::Impl {
  SearchConfig config;
  std::shared_ptr<Servable> encoder;  // or null
  std::unique_ptr<const Corrector> corrector;
  SnapshotSource snapshots;
  mutable ScratchPool scratch;

  absl::StatusOr<std::vector<float>> Embed(const Query& query,
                                           const CallOptions& call) const {
    if (encoder == nullptr || query.normalized.empty()) {
      return std::vector<float>();
    }
    return EmbedQuery(*encoder, query.raw, call);
  }
  SegmentCandidates RetrieveByWords(const Snapshot& snapshot,
                                    const Query& query,
                                    const SearchRequest& request) const;
  // What the query was meant to be; `ranked` are the hits for it as typed.
  absl::StatusOr<Correction> Correct(const Snapshot& snapshot,
                                     const Query& query,
                                     const RankedByType& ranked,
                                     const CorrectOptions& options) const;
};

SegmentCandidates SearchBar::Impl::RetrieveByWords(
    const Snapshot& snapshot, const Query& query,
    const SearchRequest& request) const {
  auto arrays = scratch.Take();
  SegmentCandidates candidates;
  for (const SnapshotSegment& part : snapshot.segments) {
    const AcceptDoc accept = MakeAcceptor(part, request.filter, request.types);
    candidates.push_back(query.normalized.empty()
                             ? RetrievePopular(*part.segment,
                                               request.offset + request.limit,
                                               accept)
                             : quaver::RetrieveByWords({}, *part.segment, query,
                                                       accept, *arrays));
  }
  scratch.Return(std::move(arrays));
  return candidates;
}

absl::StatusOr<Correction> SearchBar::Impl::Correct(
    const Snapshot& snapshot, const Query& query, const RankedByType& ranked,
    const CorrectOptions& options) const {
  std::vector<Ranked> best;
  for (const auto& list : ranked) {
    best.insert(best.end(), list.begin(),
                list.begin() + std::min(list.size(), kMaxNear));
  }
  std::sort(best.begin(), best.end(), Better);
  if (best.size() > kMaxNear) best.resize(kMaxNear);
  std::vector<Place> near;
  for (const Ranked& item : best) {
    near.push_back(
        {item.part, item.candidate.doc, static_cast<float>(item.score)});
  }
  return corrector->Correct(query, snapshot, near, options);
}

namespace {

// Scores and sorts the candidates of all segments, by type.
RankedByType RankAll(const Snapshot& snapshot, const Query& query,
                     std::span<const float> embedding,
                     const SegmentCandidates& candidates) {
  std::vector<std::vector<Features>> features;
  Evidence evidence = {.spelled = IsSpelled(snapshot, query)};
  for (size_t part = 0; part < candidates.size(); ++part) {
    features.push_back(ExtractFeatures(*snapshot.segments[part].segment, query,
                                       embedding, candidates[part]));
    for (const Features& f : features.back()) evidence.Add(f);
  }
  RankedByType ranked;
  for (size_t part = 0; part < candidates.size(); ++part) {
    const std::span<const uint8_t> types =
        snapshot.segments[part].segment->types();
    for (size_t i = 0; i < candidates[part].size(); ++i) {
      Features& f = features[part][i];
      ApplyBreadth(evidence, f);
      const Candidate& candidate = candidates[part][i];
      const uint8_t type = types[candidate.doc];
      double score = RankScore(f);
      if (type == static_cast<uint8_t>(EntityType::kArtist) &&
          f[static_cast<int>(Feature::kExact)] > 0) {
        score += kArtistBonus;
      }
      ranked[type].push_back({part, candidate, f, score});
    }
  }
  for (auto& list : ranked) std::sort(list.begin(), list.end(), Better);
  return ranked;
}

// Candidates that the first of each leg propose: a correction is looked for
// among the best, and ranking all of them costs 0.1 to 0.3 ms more.
SegmentCandidates FirstOfLegs(const SegmentCandidates& candidates) {
  const auto is_first = [](const Candidate& candidate) {
    for (size_t leg = 0; leg < kFirstOfLegs.size(); ++leg) {
      const uint16_t rank = candidate.ranks[leg];
      if (rank > 0 && rank <= kFirstOfLegs[leg]) return true;
    }
    return false;
  };
  SegmentCandidates first(candidates.size());
  for (size_t part = 0; part < candidates.size(); ++part) {
    std::copy_if(candidates[part].begin(), candidates[part].end(),
                 std::back_inserter(first[part]), is_first);
  }
  return first;
}

bool BeginsName(const Snapshot& snapshot, std::string_view prefix) {
  return std::any_of(
      snapshot.segments.begin(), snapshot.segments.end(),
      [&](const SnapshotSegment& part) {
        return part.segment->lexical().NamePrefix(prefix).size() > 0;
      });
}

absl::Status CheckStillWanted(const CallOptions& call) {
  return CheckWanted(call, Clock::Real().NowUs());
}

// The query that a correction stands for, as open as the one typed.
Query Corrected(const Query& typed, const std::string& text) {
  return PrepareQuery(typed.open ? text : text + " ");
}

}  // namespace

absl::StatusOr<std::unique_ptr<SearchBar>> SearchBar::Create(
    SearchConfig config, const ServableRegistry& registry,
    SnapshotSource snapshots) {
  auto impl = std::make_unique<Impl>();
  if (!config.encoder.empty()) {
    auto encoder = registry.Find(config.encoder);
    if (!encoder.ok()) {
      return absl::UnavailableError("search: " + Message(encoder.status()));
    }
    impl->encoder = *std::move(encoder);
  }
  std::shared_ptr<Servable> model;
  if (!config.corrector.empty()) {
    auto found = registry.Find(config.corrector);
    if (!found.ok()) {
      return absl::UnavailableError("search: " + Message(found.status()));
    }
    model = *std::move(found);
  }
  impl->corrector = std::make_unique<const Corrector>(std::move(model));
  impl->config = std::move(config);
  impl->snapshots = std::move(snapshots);
  std::unique_ptr<SearchBar> bar(new SearchBar(std::move(impl)));
  // The first search maps pages and builds tables: nobody should wait for it.
  RETURN_IF_ERROR(bar->Search({.query = "première"}).status());
  return bar;
}

SearchBar::SearchBar(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SearchBar::~SearchBar() = default;

absl::StatusOr<SearchResponse> SearchBar::Search(
    const SearchRequest& request) const {
  RETURN_IF_ERROR(CheckRange("limit", request.limit, 1, kMaxLimit));
  RETURN_IF_ERROR(CheckRange("offset", request.offset, 0, kMaxOffset));
  const Stopwatch total;
  const CoreLease core;
  RETURN_IF_ERROR(CheckStillWanted(request.call));
  SearchResponse response;
  Stopwatch stage;
  const auto lap = [&](const char* name) {
    response.timing_us.emplace_back(name, stage.LapUs());
  };
  Query query = PrepareQuery(request.query);
  response.query = query.raw;
  lap("normalise");
  const std::shared_ptr<const Snapshot> snapshot = impl_->snapshots();
  MeaningAhead ahead(impl_->encoder.get(), *snapshot, request.filter,
                     request.types, request.call);
  SegmentCandidates candidates =
      impl_->RetrieveByWords(*snapshot, query, request);
  lap("retrieve");
  if (request.correct && !query.normalized.empty()) {
    RETURN_IF_ERROR(CheckStillWanted(request.call));
    CorrectOptions options{.gate = request.gate, .call = request.call};
    if (request.meaning) {
      options.guess = [&](const std::string& text) {
        // A query that stays is searched for as it was typed.
        Query guess = Corrected(query, text);
        ahead.Begin(guess.normalized == query.normalized ? query
                                                         : std::move(guess));
      };
    }
    auto correction = impl_->Correct(
        *snapshot, query,
        RankAll(*snapshot, query, {}, FirstOfLegs(candidates)), options);
    // A model that is too busy leaves the query as it was typed.
    response.correction = correction.ok() ? *std::move(correction)
                                          : Correction{.text = query.raw};
    RETURN_IF_ERROR(CheckStillWanted(request.call));
    if (response.correction.applied) {
      query = Corrected(query, response.correction.text);
      candidates = impl_->RetrieveByWords(*snapshot, query, request);
    }
    lap("correct");
  }
  Meaning meaning;
  if (request.meaning) {
    ASSIGN_OR_RETURN(meaning, ahead.Take(query));
    for (size_t part = 0; part < candidates.size(); ++part) {
      AddMeaning(meaning.hits[part], candidates[part]);
    }
  }
  lap("meaning");
  RETURN_IF_ERROR(CheckStillWanted(request.call));
  RankedByType ranked =
      RankAll(*snapshot, query, meaning.embedding, candidates);
  if (!query.normalized.empty()) CutWeak(ranked);
  FillSections(*snapshot, query, request, ranked, response);
  if (request.facets) CountFacets(*snapshot, ranked, response);
  lap("rank");
  response.timing_us.emplace_back("total", total.ElapsedUs());
  return response;
}

absl::StatusOr<Correction> SearchBar::Correct(
    const std::string& text, const CorrectOptions& options) const {
  const CoreLease core;
  RETURN_IF_ERROR(CheckStillWanted(options.call));
  const Query query = PrepareQuery(text);
  const std::shared_ptr<const Snapshot> snapshot = impl_->snapshots();
  RankedByType ranked;
  if (!query.normalized.empty()) {
    ranked = RankAll(*snapshot, query, {},
                     FirstOfLegs(impl_->RetrieveByWords(*snapshot, query, {})));
  }
  return impl_->Correct(*snapshot, query, ranked, options);
}

absl::StatusOr<std::vector<Suggestion>> SearchBar::Suggest(
    const std::string& prefix, const CallOptions& call) const {
  const CoreLease core;
  RETURN_IF_ERROR(CheckStillWanted(call));
  Query query = PrepareQuery(prefix);
  if (query.normalized.empty()) return std::vector<Suggestion>();
  const std::shared_ptr<const Snapshot> snapshot = impl_->snapshots();
  if (!BeginsName(*snapshot, query.normalized)) {
    const RankedByType ranked =
        RankAll(*snapshot, query, {},
                FirstOfLegs(impl_->RetrieveByWords(*snapshot, query, {})));
    const auto correction =
        impl_->Correct(*snapshot, query, ranked, {.call = call});
    if (correction.ok() && correction->applied) {
      query = Corrected(query, correction->text);
    }
  }
  std::vector<float> embedding;
  if (CodePointCount(query.normalized) >= kLeastMeaningLetters) {
    ASSIGN_OR_RETURN(embedding, impl_->Embed(query, call));
  }
  return MakeSuggestions(*snapshot, query, embedding,
                         impl_->config.num_suggestions);
}

}  // namespace quaver
