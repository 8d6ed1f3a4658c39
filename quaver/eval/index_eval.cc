// Recall and speed of the vector index against scoring every vector.
#include "quaver/eval/index_eval.h"

#include <algorithm>
#include <numeric>

#include "quaver/artifact/artifact.h"
#include "quaver/base/clock.h"
#include "quaver/base/hash.h"
#include "quaver/base/progress.h"
#include "quaver/base/workers.h"
#include "quaver/eval/table.h"
#include "quaver/index/manifest.h"
#include "quaver/index/vector_measure.h"
#include "quaver/ingest/embedder.h"
#include "quaver/ingest/entity_document.h"

namespace quaver {
namespace {

// Vectors scored in one call of the exact search.
constexpr size_t kBlock = 4'096;
constexpr float kTie = 1e-6f;

// The best scores, greatest first.
void KeepBest(size_t depth, std::vector<float>& scores) {
  const size_t kept = std::min(depth, scores.size());
  std::partial_sort(scores.begin(),
                    scores.begin() + static_cast<ptrdiff_t>(kept), scores.end(),
                    std::greater<>());
  scores.resize(kept);
}

std::vector<float> ExactBest(const Snapshot& snapshot,
                             std::span<const float> query, size_t depth) {
  std::vector<float> best;
  std::vector<uint32_t> items;
  std::vector<float> scores;
  for (const SnapshotSegment& part : snapshot.segments) {
    const VectorIndex* vectors = part.segment->vectors();
    if (vectors == nullptr) continue;
    const uint32_t count = part.segment->num_documents();
    for (uint32_t begin = 0; begin < count; begin += kBlock) {
      const auto end =
          static_cast<uint32_t>(std::min<size_t>(count, begin + kBlock));
      items.resize(end - begin);
      std::iota(items.begin(), items.end(), begin);
      std::erase_if(items, [&](uint32_t doc) { return !part.Alive(doc); });
      scores.resize(items.size());
      vectors->Score(query, items, scores);
      best.insert(best.end(), scores.begin(), scores.end());
    }
    KeepBest(depth, best);
  }
  return best;
}

std::vector<float> IndexBest(const Snapshot& snapshot,
                             std::span<const float> query,
                             const VectorParams& params) {
  std::vector<float> best;
  for (const SnapshotSegment& part : snapshot.segments) {
    const VectorIndex* vectors = part.segment->vectors();
    if (vectors == nullptr) continue;
    std::function<bool(uint32_t)> alive;
    if (part.deleted) alive = [&](uint32_t doc) { return part.Alive(doc); };
    for (const VectorHit& hit : vectors->Search(query, params, alive)) {
      best.push_back(hit.score);
    }
  }
  KeepBest(params.num_results, best);
  return best;
}

// The text that was embedded for a document.
std::string TextOf(const DocumentView& document) {
  Entity entity;
  entity.type = static_cast<EntityType>(document.type);
  entity.title = document.title;
  entity.artist = document.artist;
  entity.album = document.album;
  entity.genre = document.genre;
  entity.description = document.description;
  return EmbeddedText(entity);
}

// The embeddings of a segment's live documents, made again.
struct Reembedded {
  std::vector<float> vectors;  // [rows, D]
  std::vector<size_t> row_of;  // by document
};

absl::StatusOr<Reembedded> Reembed(const SnapshotSegment& part,
                                   Servable& encoder) {
  Reembedded result;
  std::vector<std::string> texts;
  const uint32_t count = part.segment->num_documents();
  result.row_of.resize(count);
  for (uint32_t doc = 0; doc < count; ++doc) {
    const DocumentView document = part.segment->document(doc);
    if (!part.Alive(doc) || document.embedded_hash == 0) continue;
    result.row_of[doc] = texts.size();
    texts.push_back(TextOf(document));
    if (Hash64(texts.back()) != document.embedded_hash) {
      return absl::FailedPreconditionError(
          fmt::format("{}: another text was embedded for it", document.id));
    }
  }
  Progress progress("embed", "texts", static_cast<int64_t>(texts.size()));
  ASSIGN_OR_RETURN(const auto embeddings,
                   EmbedAll(encoder, texts, AvailableCores(), [&](size_t done) {
                     progress.Update(static_cast<int64_t>(done));
                   }));
  for (const std::vector<float>& embedding : embeddings) {
    result.vectors.insert(result.vectors.end(), embedding.begin(),
                          embedding.end());
  }
  return result;
}

// Recall of each query against fp32 vectors. One segment, as ingest leaves it.
absl::StatusOr<std::vector<double>> Fp32Recalls(
    const Snapshot& snapshot, Servable& encoder,
    const std::vector<std::vector<float>>& queries,
    const VectorParams& params) {
  if (snapshot.segments.size() != 1) {
    return absl::FailedPreconditionError(
        fmt::format("embedding again needs an index of one segment, this one "
                    "has {}: ingest it anew",
                    snapshot.segments.size()));
  }
  const SnapshotSegment& part = snapshot.segments[0];
  ASSIGN_OR_RETURN(const Reembedded again, Reembed(part, encoder));
  const Kernels& kernels = BestKernels();
  const size_t D = part.segment->vectors()->dimension();
  std::vector<float> rows;
  for (const std::vector<float>& query : queries) {
    rows.insert(rows.end(), query.begin(), query.end());
  }
  const ExactSearch exact = SearchExactly(
      again.vectors, rows, D, params.num_results, AvailableCores(), kernels);
  std::vector<double> recalls;
  for (size_t i = 0; i < queries.size(); ++i) {
    std::vector<float> scores;
    for (const VectorHit& hit : part.segment->vectors()->Search(
             queries[i], params,
             [&](uint32_t doc) { return part.Alive(doc); })) {
      scores.push_back(kernels.scan.dot_f32(
          queries[i].data(), &again.vectors[again.row_of[hit.item] * D], D));
    }
    const auto right = std::count_if(
        scores.begin(), scores.end(),
        [&](float score) { return score >= exact.kth_score[i] - kTie; });
    recalls.push_back(static_cast<double>(right) /
                      static_cast<double>(exact.k));
  }
  return recalls;
}

double Recall(const std::vector<float>& found,
              const std::vector<float>& exact) {
  if (exact.empty()) return 1;
  const auto right =
      std::count_if(found.begin(), found.end(),
                    [&](float score) { return score >= exact.back() - kTie; });
  return static_cast<double>(right) / static_cast<double>(exact.size());
}

std::vector<std::string> Sample(std::vector<std::string> texts, size_t count,
                                uint64_t seed) {
  Random random(seed);
  for (size_t i = 0; i < std::min(count, texts.size()); ++i) {
    std::swap(texts[i], texts[i + random.Below(texts.size() - i)]);
  }
  if (texts.size() > count) texts.resize(count);
  return texts;
}

IndexReport Describe(const Snapshot& snapshot) {
  IndexReport report;
  for (const SnapshotSegment& part : snapshot.segments) {
    if (part.segment->vectors() == nullptr) continue;
    report.vectors += part.segment->vectors()->size();
    report.dimension = part.segment->vectors()->dimension();
  }
  return report;
}

}  // namespace

absl::StatusOr<IndexReport> RunIndexEval(
    const Snapshot& snapshot, Servable& encoder,
    const std::vector<std::string>& queries, const IndexEvalConfig& config) {
  IndexReport report = Describe(snapshot);
  if (report.vectors == 0 || queries.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("an index with vectors and queries are needed, got {} "
                    "vectors and {} queries",
                    report.vectors, queries.size()));
  }
  ASSIGN_OR_RETURN(
      const auto embeddings,
      EmbedAll(encoder, Sample(queries, config.num_queries, config.seed),
               AvailableCores(), nullptr));
  // One after the other: an exact search in between would empty the caches.
  std::vector<std::vector<float>> found;
  std::vector<double> recalls, times;
  for (const std::vector<float>& query : embeddings) {
    const Stopwatch watch;
    found.push_back(IndexBest(snapshot, query, config.params));
    times.push_back(static_cast<double>(watch.ElapsedUs()));
  }
  if (config.reembed) {
    ASSIGN_OR_RETURN(recalls,
                     Fp32Recalls(snapshot, encoder, embeddings, config.params));
  } else {
    for (size_t i = 0; i < embeddings.size(); ++i) {
      recalls.push_back(Recall(found[i], ExactBest(snapshot, embeddings[i],
                                                   config.params.num_results)));
    }
  }
  report.reembedded = config.reembed;
  report.queries = embeddings.size();
  report.depth = config.params.num_results;
  report.recall = BootstrapMean(recalls, config.seed);
  report.queries_per_s = 1e6 / std::max(Mean(times), 1e-3);
  report.p50_us = Percentile(times, 0.5);
  report.p99_us = Percentile(times, 0.99);
  return report;
}

absl::Status AddSizes(const std::string& folder, IndexReport& report) {
  ASSIGN_OR_RETURN(const Manifest manifest, LoadManifest(folder));
  double scanned = 0;
  double rerank = 0;
  for (const ManifestSegment& segment : manifest.segments) {
    ASSIGN_OR_RETURN(const auto artifact,
                     Artifact::Open(folder + "/" + segment.file));
    for (const auto& [name, tensor] : artifact->tensors()) {
      if (!name.starts_with("vector.")) continue;
      const bool exact = name == "vector.rerank" || name == "vector.scales";
      (exact ? rerank : scanned) += static_cast<double>(tensor.bytes.size());
    }
  }
  const auto vectors = static_cast<double>(std::max<size_t>(1, report.vectors));
  report.scanned_bytes = scanned / vectors;
  report.rerank_bytes = rerank / vectors;
  return absl::OkStatus();
}

nlohmann::json ToJson(const IndexReport& report) {
  return {{"vectors", report.vectors},
          {"dimension", report.dimension},
          {"queries", report.queries},
          {"depth", report.depth},
          {"recall", ToJson(report.recall)},
          {"recall_of", report.reembedded ? "fp32" : "int8"},
          {"queries_per_s", report.queries_per_s},
          {"p50_us", report.p50_us},
          {"p99_us", report.p99_us},
          {"scanned_bytes_a_vector", report.scanned_bytes},
          {"rerank_bytes_a_vector", report.rerank_bytes}};
}

std::string ToMarkdown(const IndexReport& report) {
  return MarkdownTable(
      {{"vectors",
        fmt::format("recall@{} of {} %", report.depth,
                    report.reembedded ? "fp32" : "int8"),
        "queries", "queries/s, one core", "p50 ms", "p99 ms",
        "bytes scanned a vector", "bytes of rerank a vector"},
       {std::to_string(report.vectors), PercentCell(report.recall),
        std::to_string(report.queries),
        fmt::format("{:.0f}", report.queries_per_s),
        fmt::format("{:.2f}", report.p50_us / 1e3),
        fmt::format("{:.2f}", report.p99_us / 1e3),
        fmt::format("{:.1f}", report.scanned_bytes),
        fmt::format("{:.1f}", report.rerank_bytes)}});
}

}  // namespace quaver
