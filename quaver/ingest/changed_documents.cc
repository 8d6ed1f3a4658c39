// See changed_documents.h.
#include "quaver/ingest/changed_documents.h"

#include <string>
#include <utility>

#include "quaver/ingest/embedder.h"
#include "quaver/ingest/entity_document.h"
#include "quaver/ingest/index_folder.h"

namespace quaver {
namespace {

// Takes the embedding that the index has of the same text.
void ReuseEmbedding(const Snapshot& current, Document& document) {
  const auto old = current.Find(document.id);
  if (!old) return;
  Document stored =
      ReadDocument(*current.segments[old->first].segment, old->second);
  if (stored.embedded_hash != document.embedded_hash) return;
  document.embedding = std::move(stored.embedding);
}

}  // namespace

absl::StatusOr<std::vector<Document>> MakeDocuments(
    const std::vector<Change>& changes, const Snapshot& current,
    const PopularityScale& scale, size_t dimension, Servable& encoder) {
  std::vector<Document> documents;
  std::vector<std::string> texts;
  std::vector<size_t> owners;  // of texts
  for (const Change& change : changes) {
    if (!change.entity) continue;
    Document& document =
        documents.emplace_back(MakeDocument(*change.entity, scale));
    if (document.embedded_hash == 0 || dimension == 0) continue;
    ReuseEmbedding(current, document);
    if (!document.embedding.empty()) continue;
    texts.push_back(EmbeddedText(*change.entity));
    owners.push_back(documents.size() - 1);
  }
  ASSIGN_OR_RETURN(auto embeddings,
                   EmbedAll(encoder, texts, /*num_threads=*/1, nullptr));
  for (size_t i = 0; i < owners.size(); ++i) {
    documents[owners[i]].embedding = std::move(embeddings[i]);
  }
  return documents;
}

}  // namespace quaver
