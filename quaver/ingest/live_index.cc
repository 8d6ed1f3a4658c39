// See live_index.h.
#include "quaver/ingest/live_index.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/synchronization/mutex.h"

#include "quaver/base/file.h"
#include "quaver/base/log.h"
#include "quaver/catalogue/store.h"
#include "quaver/ingest/embedder.h"
#include "quaver/ingest/entity_document.h"
#include "quaver/ingest/index_folder.h"

namespace quaver {
namespace {

// Changes embedded and published together: at 4 ms a text about a second.
constexpr size_t kChangesPerBatch = 256;
constexpr absl::Duration kRetryDelay = absl::Seconds(1);

// A file segment's number of documents that are still alive.
uint32_t NumLive(const SnapshotSegment& part) {
  return part.segment->num_documents() -
         (part.deleted ? part.deleted->count() : 0);
}

class LiveIndexImpl : public LiveIndex {
 public:
  LiveIndexImpl(LiveIndexConfig config, std::unique_ptr<FolderLock> lock,
                std::unique_ptr<CatalogueStore> store,
                std::shared_ptr<Servable> encoder, Manifest manifest,
                Snapshot snapshot)
      : config_(std::move(config)),
        lock_(std::move(lock)),
        store_(std::move(store)),
        encoder_(std::move(encoder)),
        scale_(ScaleOf(manifest)),
        manifest_(std::move(manifest)),
        num_file_segments_(snapshot.segments.size()),
        snapshot_(std::make_shared<const Snapshot>(std::move(snapshot))) {}
  ~LiveIndexImpl() override;

  void Start(Metrics& metrics);
  absl::StatusOr<uint64_t> Upsert(const std::vector<Entity>& entities) override;
  absl::StatusOr<bool> Delete(const std::string& id) override;
  absl::StatusOr<Entity> Get(const std::string& id) override {
    return store_->Get(id);
  }
  std::shared_ptr<const Snapshot> snapshot() const override;
  absl::StatusOr<IndexStats> Stats() override;
  absl::Status WaitFor(uint64_t sequence) override;

 private:
  void Work();
  bool WaitForChanges();
  absl::Status ApplyBatch();
  absl::StatusOr<std::vector<Document>> MakeDocuments(
      const Snapshot& current, const std::vector<Change>& changes);
  absl::Status Publish(const std::vector<Change>& changes);
  absl::Status Flush();
  absl::Status MergeSmall();
  absl::Status Save(const Snapshot& snapshot);
  void SetSnapshot(Snapshot next);
  void Wake();

  const LiveIndexConfig config_;
  const std::unique_ptr<FolderLock> lock_;
  const std::unique_ptr<CatalogueStore> store_;
  const std::shared_ptr<Servable> encoder_;
  const PopularityScale scale_;
  Counter applied_changes_;
  Gauge lag_;

  // Of the worker thread alone.
  Manifest manifest_;
  size_t num_file_segments_;  // of the snapshot; a further one is the delta
  std::unordered_map<std::string, Document> delta_;

  mutable absl::Mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
  absl::Status worker_status_ ABSL_GUARDED_BY(mutex_);
  bool changed_ ABSL_GUARDED_BY(mutex_) = true;  // replay at start
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread worker_;
};

LiveIndexImpl::~LiveIndexImpl() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (worker_.joinable()) worker_.join();
  // So that the next start has nothing to replay.
  if (const absl::Status status = Flush(); !status.ok()) {
    LogWarning("index not flushed, changes will be replayed: {}",
               Message(status));
  }
}

void LiveIndexImpl::Start(Metrics& metrics) {
  applied_changes_ = metrics.AddCounter("quaver_index_changes_total",
                                        "Catalogue changes made searchable.");
  lag_ = metrics.AddGauge("quaver_index_lag_changes",
                          "Committed changes that are not searchable yet.");
  worker_ = std::thread([this] { Work(); });
}

absl::StatusOr<uint64_t> LiveIndexImpl::Upsert(
    const std::vector<Entity>& entities) {
  ASSIGN_OR_RETURN(const uint64_t sequence, store_->Upsert(entities));
  Wake();
  return sequence;
}

absl::StatusOr<bool> LiveIndexImpl::Delete(const std::string& id) {
  ASSIGN_OR_RETURN(const bool existed, store_->Delete(id));
  Wake();
  return existed;
}

void LiveIndexImpl::Wake() {
  absl::MutexLock lock(&mutex_);
  changed_ = true;
}

std::shared_ptr<const Snapshot> LiveIndexImpl::snapshot() const {
  absl::MutexLock lock(&mutex_);
  return snapshot_;
}

void LiveIndexImpl::SetSnapshot(Snapshot next) {
  auto published = std::make_shared<const Snapshot>(std::move(next));
  absl::MutexLock lock(&mutex_);
  snapshot_.swap(published);
}

absl::StatusOr<IndexStats> LiveIndexImpl::Stats() {
  const std::shared_ptr<const Snapshot> current = snapshot();
  IndexStats stats;
  stats.sequence = current->sequence;
  ASSIGN_OR_RETURN(stats.last_sequence, store_->LastSequence());
  stats.segments = static_cast<int>(current->segments.size());
  for (const SnapshotSegment& part : current->segments) {
    if (part.segment->vectors() != nullptr) {
      stats.vectors += part.segment->vectors()->size();
    }
    const auto types = part.segment->types();
    for (uint32_t doc = 0; doc < types.size(); ++doc) {
      if (types[doc] < kNumEntityTypes && part.Alive(doc)) {
        ++stats.documents[types[doc]];
      }
    }
  }
  return stats;
}

absl::Status LiveIndexImpl::WaitFor(uint64_t sequence) {
  absl::MutexLock lock(&mutex_);
  const auto done = [this, sequence]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return snapshot_->sequence >= sequence || !worker_status_.ok();
  };
  mutex_.Await(absl::Condition(&done));
  return snapshot_->sequence >= sequence ? absl::OkStatus() : worker_status_;
}

// Returns false when it is time to stop.
bool LiveIndexImpl::WaitForChanges() {
  absl::MutexLock lock(&mutex_);
  const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return changed_ || stopping_;
  };
  mutex_.Await(absl::Condition(&wanted));
  changed_ = false;
  return !stopping_;
}

void LiveIndexImpl::Work() {
  while (WaitForChanges()) {
    const absl::Status status = ApplyBatch();
    absl::MutexLock lock(&mutex_);
    worker_status_ = status;
    if (status.ok()) continue;
    LogError("index: changes wait: {}", Message(status));
    // A full disk or a busy database may pass: try again.
    changed_ = true;
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kRetryDelay);
  }
}

absl::Status LiveIndexImpl::ApplyBatch() {
  const uint64_t applied = snapshot()->sequence;
  ASSIGN_OR_RETURN(const std::vector<Change> changes,
                   store_->ChangesSince(applied, kChangesPerBatch));
  if (!changes.empty()) {
    RETURN_IF_ERROR(Publish(changes));
    applied_changes_.Increment(static_cast<double>(changes.size()));
    Wake();  // there may be more
  }
  ASSIGN_OR_RETURN(const uint64_t last, store_->LastSequence());
  lag_.Set(static_cast<double>(last - snapshot()->sequence));
  if (delta_.size() >= config_.flush_documents) RETURN_IF_ERROR(Flush());
  if (num_file_segments_ > config_.max_segments) return MergeSmall();
  return absl::OkStatus();
}

// Documents of the changes' entities; embeds only texts that are new.
absl::StatusOr<std::vector<Document>> LiveIndexImpl::MakeDocuments(
    const Snapshot& current, const std::vector<Change>& changes) {
  std::vector<Document> documents;
  std::vector<std::string> texts;
  std::vector<size_t> owners;  // of texts
  for (const Change& change : changes) {
    if (!change.entity) continue;
    Document document = MakeDocument(*change.entity, scale_);
    if (document.embedded_hash != 0 && manifest_.dimension > 0) {
      const auto old = current.Find(document.id);
      if (old) {
        Document stored =
            ReadDocument(*current.segments[old->first].segment, old->second);
        if (stored.embedded_hash == document.embedded_hash) {
          document.embedding = std::move(stored.embedding);
        }
      }
      if (document.embedding.empty()) {
        texts.push_back(EmbeddedText(*change.entity));
        owners.push_back(documents.size());
      }
    }
    documents.push_back(std::move(document));
  }
  ASSIGN_OR_RETURN(auto embeddings,
                   EmbedAll(*encoder_, texts, /*num_threads=*/1, nullptr));
  for (size_t i = 0; i < owners.size(); ++i) {
    documents[owners[i]].embedding = std::move(embeddings[i]);
  }
  return documents;
}

// Makes the changes searchable: tombstones in files, a new delta.
absl::Status LiveIndexImpl::Publish(const std::vector<Change>& changes) {
  const std::shared_ptr<const Snapshot> current = snapshot();
  ASSIGN_OR_RETURN(std::vector<Document> documents,
                   MakeDocuments(*current, changes));
  Snapshot next = *current;
  next.sequence = changes.back().sequence;
  next.segments.resize(num_file_segments_);
  std::vector<std::shared_ptr<Tombstones>> deleted(num_file_segments_);
  for (const Change& change : changes) {
    delta_.erase(change.id);
    for (size_t i = 0; i < num_file_segments_; ++i) {
      SnapshotSegment& part = next.segments[i];
      const auto doc = part.segment->Find(change.id);
      if (!doc || !part.Alive(*doc)) continue;
      if (deleted[i] == nullptr) {
        deleted[i] =
            part.deleted
                ? std::make_shared<Tombstones>(*part.deleted)
                : std::make_shared<Tombstones>(part.segment->num_documents());
        part.deleted = deleted[i];
      }
      deleted[i]->Set(*doc);
    }
  }
  for (Document& document : documents) {
    std::string id = document.id;
    delta_.insert_or_assign(std::move(id), std::move(document));
  }
  if (!delta_.empty()) {
    std::vector<Document> all;
    for (const auto& [id, document] : delta_) all.push_back(document);
    ASSIGN_OR_RETURN(auto segment,
                     BuildInMemory(std::move(all), manifest_.dimension));
    next.segments.push_back({std::move(segment), nullptr});
  }
  SetSnapshot(std::move(next));
  return absl::OkStatus();
}

// Makes the delta a segment file and saves all tombstones.
absl::Status LiveIndexImpl::Flush() {
  const std::shared_ptr<const Snapshot> current = snapshot();
  if (current->sequence == manifest_.sequence) return absl::OkStatus();
  Snapshot next = *current;
  if (!delta_.empty()) {
    std::vector<Document> all;
    for (const auto& [id, document] : delta_) all.push_back(document);
    ASSIGN_OR_RETURN(
        StoredSegment stored,
        WriteSegment(config_.folder, std::move(all), manifest_.dimension));
    next.segments.back() = {stored.segment, nullptr};
    manifest_.segments.push_back(
        {stored.file, stored.segment->num_documents(), {}});
  }
  RETURN_IF_ERROR(Save(next));
  num_file_segments_ = next.segments.size();
  delta_.clear();
  SetSnapshot(std::move(next));
  return absl::OkStatus();
}

// Merges all file segments but the largest. Runs between two batches, with
// no delta: at 2,000 documents a segment it takes about a second.
absl::Status LiveIndexImpl::MergeSmall() {
  if (!delta_.empty()) RETURN_IF_ERROR(Flush());
  const std::shared_ptr<const Snapshot> current = snapshot();
  size_t largest = 0;
  for (size_t i = 1; i < current->segments.size(); ++i) {
    if (NumLive(current->segments[i]) > NumLive(current->segments[largest])) {
      largest = i;
    }
  }
  std::vector<Document> documents;
  for (size_t i = 0; i < current->segments.size(); ++i) {
    const SnapshotSegment& part = current->segments[i];
    for (uint32_t doc = 0; i != largest && doc < part.segment->num_documents();
         ++doc) {
      if (part.Alive(doc)) {
        documents.push_back(ReadDocument(*part.segment, doc));
      }
    }
  }
  Snapshot next;
  next.sequence = current->sequence;
  next.segments.push_back(current->segments[largest]);
  std::vector<ManifestSegment> entries = {manifest_.segments[largest]};
  if (!documents.empty()) {
    ASSIGN_OR_RETURN(StoredSegment stored,
                     WriteSegment(config_.folder, std::move(documents),
                                  manifest_.dimension));
    next.segments.push_back({stored.segment, nullptr});
    entries.push_back({stored.file, stored.segment->num_documents(), {}});
  }
  manifest_.segments = std::move(entries);
  RETURN_IF_ERROR(Save(next));
  num_file_segments_ = next.segments.size();
  SetSnapshot(std::move(next));
  RemoveUnusedFiles(config_.folder, manifest_);
  return absl::OkStatus();
}

// Writes index.json for a snapshot without delta.
absl::Status LiveIndexImpl::Save(const Snapshot& snapshot) {
  for (size_t i = 0; i < snapshot.segments.size(); ++i) {
    const SnapshotSegment& part = snapshot.segments[i];
    std::vector<uint32_t>& deleted = manifest_.segments[i].deleted;
    deleted.clear();
    for (uint32_t doc = 0; doc < part.segment->num_documents(); ++doc) {
      if (!part.Alive(doc)) deleted.push_back(doc);
    }
  }
  manifest_.sequence = snapshot.sequence;
  return SaveManifest(config_.folder, manifest_);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LiveIndex>> LiveIndex::Open(
    const LiveIndexConfig& config, std::shared_ptr<Servable> encoder,
    Metrics& metrics) {
  ASSIGN_OR_RETURN(Manifest manifest, LoadManifest(config.folder));
  RETURN_IF_ERROR(CheckModel(manifest, config.model, config.folder));
  ASSIGN_OR_RETURN(auto lock, FolderLock::Take(config.folder));
  ASSIGN_OR_RETURN(Snapshot snapshot, OpenSnapshot(config.folder, manifest));
  ASSIGN_OR_RETURN(auto store,
                   CatalogueStore::Open(config.folder + "/catalogue.db"));
  auto index = std::make_unique<LiveIndexImpl>(
      config, std::move(lock), std::move(store), std::move(encoder),
      std::move(manifest), std::move(snapshot));
  index->Start(metrics);
  return index;
}

}  // namespace quaver
