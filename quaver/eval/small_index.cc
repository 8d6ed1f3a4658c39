// Builds one segment in memory through ingest.
#include "quaver/eval/small_index.h"

#include <array>
#include <utility>

#include "quaver/base/workers.h"
#include "quaver/ingest/embedder.h"
#include "quaver/ingest/entity_document.h"
#include "quaver/ingest/index_folder.h"

namespace quaver {
namespace {

PopularityScale ScaleOfEntities(const std::vector<Entity>& entities) {
  std::array<std::vector<double>, kNumEntityTypes> values;
  for (const Entity& entity : entities) {
    values[static_cast<size_t>(entity.type)].push_back(entity.popularity);
  }
  PopularityScale scale;
  for (size_t type = 0; type < kNumEntityTypes; ++type) {
    scale[type] = MakeQuantiles(std::move(values[type]));
  }
  return scale;
}

// Adds embeddings to the documents whose entity has a text to embed; returns
// the dimension.
absl::StatusOr<size_t> Embed(const std::vector<Entity>& entities,
                             Servable& encoder,
                             std::vector<Document>& documents) {
  std::vector<std::string> texts;
  std::vector<size_t> owners;
  for (size_t i = 0; i < entities.size(); ++i) {
    std::string text = EmbeddedText(entities[i]);
    if (text.empty()) continue;
    texts.push_back(std::move(text));
    owners.push_back(i);
  }
  ASSIGN_OR_RETURN(auto embeddings,
                   EmbedAll(encoder, texts, AvailableCores(), nullptr));
  for (size_t i = 0; i < owners.size(); ++i) {
    documents[owners[i]].embedding = std::move(embeddings[i]);
  }
  return owners.empty() ? 0 : documents[owners[0]].embedding.size();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Snapshot>> IndexEntities(
    const std::vector<Entity>& entities, Servable* encoder) {
  const PopularityScale scale = ScaleOfEntities(entities);
  std::vector<Document> documents;
  for (const Entity& entity : entities) {
    documents.push_back(MakeDocument(entity, scale));
  }
  size_t dimension = 0;
  if (encoder != nullptr) {
    ASSIGN_OR_RETURN(dimension, Embed(entities, *encoder, documents));
  }
  auto snapshot = std::make_shared<Snapshot>();
  ASSIGN_OR_RETURN(auto segment,
                   BuildInMemory(std::move(documents), dimension));
  snapshot->segments.push_back({std::move(segment), nullptr});
  return snapshot;
}

}  // namespace quaver
