// See meaning.h.
#include "quaver/search/internal/meaning.h"

#include <utility>

#include "quaver/base/check.h"
#include "quaver/search/acceptor.h"
#include "quaver/search/query_encoder.h"

namespace quaver {

absl::StatusOr<Meaning> FindMeaning(Servable* encoder, const Snapshot& snapshot,
                                    const Query& query, const Filter& filter,
                                    const std::vector<EntityType>& types,
                                    const CallOptions& call) {
  Meaning meaning;
  meaning.hits.resize(snapshot.segments.size());
  if (encoder == nullptr || query.normalized.empty()) return meaning;
  ASSIGN_OR_RETURN(meaning.embedding, EmbedQuery(*encoder, query.raw, call));
  for (size_t part = 0; part < meaning.hits.size(); ++part) {
    const SnapshotSegment& segment = snapshot.segments[part];
    meaning.hits[part] =
        RetrieveByMeaning({}, *segment.segment, meaning.embedding,
                          MakeAcceptor(segment, filter, types));
  }
  return meaning;
}

MeaningAhead::~MeaningAhead() {
  if (!begun_.valid()) return;
  const CorePause pause;
  begun_.wait();
}

void MeaningAhead::Begin(Query query) {
  QUAVER_CHECK(!begun_.valid());
  if (encoder_ == nullptr || cores_.TakeIdle(1) == 0) return;
  guess_ = query.raw;
  begun_ = std::async(std::launch::async, [this, query = std::move(query)] {
    const CoreLease core(cores_, std::adopt_lock);
    return FindMeaning(encoder_, snapshot_, query, filter_, types_, call_);
  });
}

absl::StatusOr<Meaning> MeaningAhead::Take(const Query& query) {
  if (!begun_.valid() || query.raw != guess_) {
    return FindMeaning(encoder_, snapshot_, query, filter_, types_, call_);
  }
  const CorePause pause;
  return begun_.get();
}

}  // namespace quaver
