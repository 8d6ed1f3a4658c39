// See live_index.h.
#include "quaver/ingest/live_index.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "quaver/base/file.h"
#include "quaver/base/log.h"
#include "quaver/base/mutex.h"
#include "quaver/catalogue/store.h"
#include "quaver/ingest/changed_documents.h"
#include "quaver/ingest/entity_document.h"
#include "quaver/ingest/index_folder.h"
#include "quaver/ingest/segment_files.h"

namespace quaver {
namespace {

// Changes embedded and published together: those of 8 KB of text, about a
// second at 0.1 ms a byte, so that what is written next need not wait longer.
constexpr size_t kChangesPerBatch = 256;
constexpr size_t kTextBytesPerBatch = 8'192;
constexpr int64_t kRetryDelayUs = 1'000'000;

// Leaves out the last changes where their texts would take too long.
void CutToBatch(std::vector<Change>& changes) {
  size_t bytes = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    if (!changes[i].entity) continue;
    bytes += EmbeddedText(*changes[i].entity).size();
    if (i > 0 && bytes > kTextBytesPerBatch) {
      changes.resize(i);
      return;
    }
  }
}

// The worker thread alone changes the index; a second thread writes the file
// of a merge and hands it to the worker.
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
        files_(config_.folder, std::move(manifest), snapshot.segments),
        sequence_(snapshot.sequence),
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
  using Delta = std::unordered_map<std::string, Document>;  // by id
  struct Merge {
    std::vector<SnapshotSegment> sources;
    std::thread thread;
  };
  // A caller of WaitFor.
  struct Wait {
    const LiveIndexImpl* index;
    uint64_t sequence;
    bool IsOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(index->mutex_) {
      return index->snapshot_->sequence >= sequence ||
             !index->worker_status_.ok();
    }
  };

  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return changed_ || stopping_;
  }
  bool IsStopping() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_;
  }
  void Wake();
  void Work();
  bool WaitForChanges();
  absl::Status ApplyBatch();
  static std::vector<Document> DeltaDocuments(const Delta& delta);
  absl::Status Apply(const std::vector<Change>& changes);
  void Publish();
  absl::Status Flush();
  void StartMerge();
  bool FinishMerge();
  absl::Status InstallMerged(const absl::StatusOr<StoredSegment>& merged);

  const LiveIndexConfig config_;
  const std::unique_ptr<FolderLock> lock_;
  const std::unique_ptr<CatalogueStore> store_;
  const std::shared_ptr<Servable> encoder_;
  const PopularityScale scale_;
  Counter applied_changes_;
  Gauge lag_;

  // Of the worker thread alone.
  SegmentFiles files_;
  Delta delta_;  // what changed since files_ was saved
  std::shared_ptr<const Segment> delta_segment_;  // of delta_; null when empty
  uint64_t sequence_;           // all changes up to it are in files_ and delta_
  std::optional<Merge> merge_;  // under way

  mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
  uint64_t delta_documents_ ABSL_GUARDED_BY(mutex_) = 0;  // of snapshot_
  absl::Status worker_status_ ABSL_GUARDED_BY(mutex_);
  // What the merge under way ended with.
  std::optional<absl::StatusOr<StoredSegment>> merged_ ABSL_GUARDED_BY(mutex_);
  bool changed_ ABSL_GUARDED_BY(mutex_) = true;  // replay at start
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread worker_;
};

LiveIndexImpl::~LiveIndexImpl() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (worker_.joinable()) worker_.join();
  if (merge_) {
    merge_->thread.join();
    FinishMerge();
  }
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
  MutexLock lock(&mutex_);
  changed_ = true;
}

std::shared_ptr<const Snapshot> LiveIndexImpl::snapshot() const {
  MutexLock lock(&mutex_);
  return snapshot_;
}

absl::StatusOr<IndexStats> LiveIndexImpl::Stats() {
  IndexStats stats;
  std::shared_ptr<const Snapshot> current;
  {
    MutexLock lock(&mutex_);
    current = snapshot_;
    stats.delta_documents = delta_documents_;
  }
  stats.sequence = current->sequence;
  ASSIGN_OR_RETURN(stats.last_sequence, store_->LastSequence());
  stats.segments = static_cast<int>(current->segments.size());
  for (const SnapshotSegment& part : current->segments) {
    if (part.segment->vectors() != nullptr) {
      stats.vectors += part.segment->vectors()->size();
    }
    for (uint8_t type = 0; type < kNumEntityTypes; ++type) {
      const auto [begin, end] = part.segment->TypeRange(type);
      stats.documents[type] += end - begin;
      for (uint32_t doc = begin; part.deleted && doc < end; ++doc) {
        if (part.deleted->Has(doc)) --stats.documents[type];
      }
    }
  }
  return stats;
}

absl::Status LiveIndexImpl::WaitFor(uint64_t sequence) {
  MutexLock lock(&mutex_);
  const Wait wait = {this, sequence};
  mutex_.Await(&wait, &Wait::IsOver);
  return snapshot_->sequence >= sequence ? absl::OkStatus() : worker_status_;
}

// Returns false when it is time to stop.
bool LiveIndexImpl::WaitForChanges() {
  MutexLock lock(&mutex_);
  mutex_.Await(this, &LiveIndexImpl::HasWork);
  changed_ = false;
  return !stopping_;
}

void LiveIndexImpl::Work() {
  StartMerge();
  while (WaitForChanges()) {
    if (FinishMerge()) StartMerge();
    const absl::Status status = ApplyBatch();
    MutexLock lock(&mutex_);
    worker_status_ = status;
    if (status.ok()) continue;
    LogError("index: changes wait: {}", Message(status));
    // A full disk or a busy database may pass: try again.
    changed_ = true;
    mutex_.AwaitFor(this, &LiveIndexImpl::IsStopping, kRetryDelayUs);
  }
}

absl::Status LiveIndexImpl::ApplyBatch() {
  ASSIGN_OR_RETURN(std::vector<Change> changes,
                   store_->ChangesSince(sequence_, kChangesPerBatch));
  if (!changes.empty()) {
    CutToBatch(changes);
    RETURN_IF_ERROR(Apply(changes));
    Publish();
    applied_changes_.Increment(static_cast<double>(changes.size()));
    Wake();  // there may be more
  }
  ASSIGN_OR_RETURN(const uint64_t last, store_->LastSequence());
  lag_.Set(static_cast<double>(last - sequence_));
  if (delta_.size() < config_.flush_documents) return absl::OkStatus();
  RETURN_IF_ERROR(Flush());
  Publish();
  StartMerge();
  return absl::OkStatus();
}

std::vector<Document> LiveIndexImpl::DeltaDocuments(const Delta& delta) {
  std::vector<Document> documents;
  documents.reserve(delta.size());
  for (const auto& [id, document] : delta) documents.push_back(document);
  return documents;
}

// Tombstones in files, a new delta. Changes nothing when it fails.
absl::Status LiveIndexImpl::Apply(const std::vector<Change>& changes) {
  ASSIGN_OR_RETURN(std::vector<Document> documents,
                   MakeDocuments(changes, *snapshot(), scale_,
                                 files_.dimension(), *encoder_));
  Delta delta = delta_;
  for (const Change& change : changes) delta.erase(change.id);
  for (Document& document : documents) {
    std::string id = document.id;
    delta.insert_or_assign(std::move(id), std::move(document));
  }
  std::shared_ptr<const Segment> segment;
  if (!delta.empty()) {
    ASSIGN_OR_RETURN(segment,
                     BuildInMemory(DeltaDocuments(delta), files_.dimension()));
  }
  files_.Delete(changes);
  delta_ = std::move(delta);
  delta_segment_ = std::move(segment);
  sequence_ = changes.back().sequence;
  return absl::OkStatus();
}

// Shows readers what the worker has.
void LiveIndexImpl::Publish() {
  auto next = std::make_shared<Snapshot>();
  next->sequence = sequence_;
  next->segments = files_.parts();
  if (delta_segment_ != nullptr) {
    next->segments.push_back({delta_segment_, nullptr});
  }
  std::shared_ptr<const Snapshot> published = std::move(next);
  MutexLock lock(&mutex_);
  snapshot_.swap(published);
  delta_documents_ = delta_.size();
}

// Makes the delta a segment file and saves all deletions.
absl::Status LiveIndexImpl::Flush() {
  if (sequence_ == files_.saved_sequence()) return absl::OkStatus();
  RETURN_IF_ERROR(files_.Append(DeltaDocuments(delta_), sequence_));
  delta_.clear();
  delta_segment_ = nullptr;
  return absl::OkStatus();
}

// Merges aside when there are too many files and no merge is under way.
void LiveIndexImpl::StartMerge() {
  const std::vector<SnapshotSegment>& parts = files_.parts();
  const size_t max_segments = std::max<size_t>(1, config_.max_segments);
  if (merge_ || parts.size() <= max_segments) return;
  std::vector<uint32_t> num_live;
  for (const SnapshotSegment& part : parts) num_live.push_back(NumLive(part));
  merge_.emplace();
  for (const size_t place : ChooseMerge(num_live, max_segments)) {
    merge_->sources.push_back(parts[place]);
  }
  merge_->thread = std::thread(
      [this, sources = merge_->sources, dimension = files_.dimension()] {
        auto merged = MergeSegments(config_.folder, sources, dimension);
        MutexLock lock(&mutex_);
        merged_ = std::move(merged);
        changed_ = true;
      });
}

// Takes over a merge that has ended; returns whether one was installed. One
// that failed, as on a full disk, is tried again after the next flush: the
// index works as before, only slower.
bool LiveIndexImpl::FinishMerge() {
  std::optional<absl::StatusOr<StoredSegment>> merged;
  {
    MutexLock lock(&mutex_);
    merged.swap(merged_);
  }
  if (!merged) return false;
  if (merge_->thread.joinable()) merge_->thread.join();
  const absl::Status status = InstallMerged(*merged);
  merge_.reset();
  RemoveUnusedFiles(config_.folder, files_.manifest());
  Publish();
  if (!status.ok()) {
    LogWarning("index: segments not merged: {}", Message(status));
  }
  return status.ok();
}

absl::Status LiveIndexImpl::InstallMerged(
    const absl::StatusOr<StoredSegment>& merged) {
  RETURN_IF_ERROR(merged.status());
  // index.json is to hold deletions and what replaces them together.
  RETURN_IF_ERROR(Flush());
  return files_.Replace(merge_->sources, *merged);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LiveIndex>> LiveIndex::Open(
    const LiveIndexConfig& config, std::shared_ptr<Servable> encoder,
    Metrics& metrics) {
  // Twice: first for its error, then as no other process can change it.
  RETURN_IF_ERROR(LoadManifest(config.folder).status());
  ASSIGN_OR_RETURN(auto lock, FolderLock::Take(config.folder));
  ASSIGN_OR_RETURN(Manifest manifest, LoadManifest(config.folder));
  RETURN_IF_ERROR(CheckModel(manifest, config.model, config.folder));
  ASSIGN_OR_RETURN(Snapshot snapshot, OpenSnapshot(config.folder, manifest));
  ASSIGN_OR_RETURN(auto store,
                   CatalogueStore::Open(config.folder + "/catalogue.db"));
  ASSIGN_OR_RETURN(const uint64_t last_sequence, store->LastSequence());
  RETURN_IF_ERROR(CheckSequence(manifest, last_sequence, config.folder));
  RemoveUnusedFiles(config.folder, manifest);
  auto index = std::make_unique<LiveIndexImpl>(
      config, std::move(lock), std::move(store), std::move(encoder),
      std::move(manifest), std::move(snapshot));
  index->Start(metrics);
  return index;
}

}  // namespace quaver
