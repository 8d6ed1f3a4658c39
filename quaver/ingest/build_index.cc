// See build_index.h.
#include "quaver/ingest/build_index.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quaver/base/log.h"
#include "quaver/base/progress.h"
#include "quaver/base/workers.h"
#include "quaver/ingest/embedder.h"
#include "quaver/ingest/embedding_cache.h"
#include "quaver/ingest/entity_document.h"
#include "quaver/ingest/index_folder.h"

namespace quaver {
namespace {

// Embedded, then written to the cache: at most a minute of work is lost.
constexpr size_t kTextsPerRound = 8'192;

PopularityScale FitScale(const std::vector<Entity>& entities) {
  std::array<std::vector<double>, kNumEntityTypes> values;
  for (const Entity& entity : entities) {
    values[static_cast<int>(entity.type)].push_back(entity.popularity);
  }
  PopularityScale scale;
  for (int type = 0; type < kNumEntityTypes; ++type) {
    scale[type] = MakeQuantiles(std::move(values[type]));
  }
  return scale;
}

absl::StatusOr<std::vector<Entity>> ReadEntities(CatalogueStore& store) {
  std::vector<Entity> entities;
  RETURN_IF_ERROR(store.ForEach([&](const Entity& entity) {
    entities.push_back(entity);
    return absl::OkStatus();
  }));
  return entities;
}

// Fills the embeddings of the documents whose texts the old index has.
size_t ReuseOldIndex(const BuildOptions& options,
                     std::vector<Document>& documents) {
  const auto manifest = LoadManifest(options.folder);
  if (!manifest.ok() || manifest->model_hash != options.model.hash) return 0;
  const auto old = OpenSnapshot(options.folder, *manifest);
  if (!old.ok()) {
    LogWarning("the old index is not used: {}", Message(old.status()));
    return 0;
  }
  size_t reused = 0;
  for (Document& document : documents) {
    if (document.embedded_hash == 0) continue;
    const auto place = old->Find(document.id);
    if (!place) continue;
    const Segment& segment = *old->segments[place->first].segment;
    Document stored = ReadDocument(segment, place->second);
    if (stored.embedded_hash != document.embedded_hash ||
        stored.embedding.empty()) {
      continue;
    }
    document.embedding = std::move(stored.embedding);
    ++reused;
  }
  return reused;
}

// Embeds what has no embedding yet, round by round.
absl::Status EmbedRest(const BuildOptions& options,
                       const std::vector<Entity>& entities, Servable& encoder,
                       EmbeddingCache& cache, std::vector<Document>& documents,
                       BuildReport& report) {
  std::vector<size_t> missing;
  for (size_t i = 0; i < documents.size(); ++i) {
    Document& document = documents[i];
    if (document.embedded_hash == 0 || !document.embedding.empty()) continue;
    if (const auto* found = cache.Find(document.embedded_hash)) {
      document.embedding = *found;
      ++report.reused;
    } else {
      missing.push_back(i);
    }
  }
  if (missing.empty()) return absl::OkStatus();
  std::unique_ptr<Progress> progress;
  if (options.progress) {
    progress = std::make_unique<Progress>("embed", "texts",
                                          static_cast<int64_t>(missing.size()));
  }
  const int threads =
      options.num_threads > 0 ? options.num_threads : AvailableCores();
  for (size_t begin = 0; begin < missing.size(); begin += kTextsPerRound) {
    const size_t end = std::min(missing.size(), begin + kTextsPerRound);
    std::vector<std::string> texts;
    for (size_t i = begin; i < end; ++i) {
      texts.push_back(EmbeddedText(entities[missing[i]]));
    }
    ASSIGN_OR_RETURN(auto embeddings,
                     EmbedAll(encoder, texts, threads, [&](size_t done) {
                       if (!progress) return;
                       progress->Update(static_cast<int64_t>(begin + done));
                     }));
    for (size_t i = begin; i < end; ++i) {
      Document& document = documents[missing[i]];
      document.embedding = std::move(embeddings[i - begin]);
      RETURN_IF_ERROR(cache.Add(document.embedded_hash, document.embedding));
    }
  }
  report.embedded = missing.size();
  return absl::OkStatus();
}

size_t EncoderDimension(const Servable& encoder) {
  return static_cast<size_t>(encoder.outputs().at(0).shape.back());
}

}  // namespace

absl::StatusOr<BuildReport> BuildIndex(const BuildOptions& options,
                                       CatalogueStore& store,
                                       Servable& encoder) {
  Manifest manifest{.model = options.model.name,
                    .model_hash = options.model.hash};
  manifest.dimension = static_cast<uint32_t>(EncoderDimension(encoder));
  // Read before the entities: a later change is replayed, not lost.
  ASSIGN_OR_RETURN(manifest.sequence, store.LastSequence());
  ASSIGN_OR_RETURN(std::vector<Entity> entities, ReadEntities(store));
  const PopularityScale scale = FitScale(entities);
  manifest.popularity.assign(scale.begin(), scale.end());

  BuildReport report{.documents = entities.size()};
  std::vector<Document> documents;
  documents.reserve(entities.size());
  for (const Entity& entity : entities) {
    documents.push_back(MakeDocument(entity, scale));
  }
  report.reused = ReuseOldIndex(options, documents);
  ASSIGN_OR_RETURN(const auto cache,
                   EmbeddingCache::Open(options.folder, options.model.hash,
                                        manifest.dimension));
  RETURN_IF_ERROR(
      EmbedRest(options, entities, encoder, *cache, documents, report));
  entities = {};
  if (options.progress) LogInfo("building the index");
  ASSIGN_OR_RETURN(const StoredSegment stored,
                   WriteSegment(options.folder, std::move(documents),
                                manifest.dimension, options.num_threads));
  manifest.segments.push_back(
      {stored.file, stored.segment->num_documents(), {}});
  RETURN_IF_ERROR(SaveManifest(options.folder, manifest));
  cache->Remove();
  RemoveUnusedFiles(options.folder, manifest);
  return report;
}

}  // namespace quaver
