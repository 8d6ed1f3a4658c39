// See response_cache.h.
#include "quaver/sched/response_cache.h"

#include <utility>

#include "quaver/base/status.h"

namespace quaver {
namespace {

size_t NumBytes(const Tensors& tensors) {
  size_t bytes = 0;
  for (const Tensor& tensor : tensors) {
    bytes += sizeof(Tensor) + tensor.name.size() +
             tensor.shape.size() * sizeof(int64_t) + tensor.raw.size();
    for (const std::string& text : tensor.strings) {
      bytes += sizeof(std::string) + text.size();
    }
  }
  return bytes;
}

}  // namespace

uint64_t ResponseCache::AddGeneration() {
  const MutexLock lock(&mutex_);
  const uint64_t generation = next_generation_++;
  generations_[generation];
  return generation;
}

void ResponseCache::RemoveGeneration(uint64_t generation) {
  Entries removed;
  const MutexLock lock(&mutex_);
  const auto found = generations_.find(generation);
  if (found == generations_.end()) return;
  while (!found->second.table.empty()) {
    Remove(found->second.table.begin()->second, removed);
  }
  generations_.erase(found);
}

std::shared_ptr<const Tensors> ResponseCache::Find(uint64_t generation,
                                                   const std::string& key) {
  const MutexLock lock(&mutex_);
  const auto found = generations_.find(generation);
  if (found == generations_.end()) return nullptr;
  const auto entry = found->second.table.find(key);
  if (entry == found->second.table.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, entry->second);
  return entry->second->answer;
}

void ResponseCache::Insert(uint64_t generation, const std::string& key,
                           std::shared_ptr<const Tensors> answer) {
  const size_t bytes = key.size() + NumBytes(*answer) + kEntryOverhead;
  if (bytes > max_bytes_) return;
  Entries added;
  added.push_back({generation, key, std::move(answer), bytes});
  Entries removed;  // before the lock, so that it is destroyed after it
  const MutexLock lock(&mutex_);
  const auto found = generations_.find(generation);
  if (found == generations_.end()) return;
  Generation& own = found->second;
  const auto old = own.table.find(key);
  if (old != own.table.end()) Remove(old->second, removed);
  while (num_bytes_ + bytes > max_bytes_) {
    const auto last = std::prev(entries_.end());
    ++generations_.at(last->generation).counts.num_evictions;
    Remove(last, removed);
  }
  entries_.splice(entries_.begin(), added);
  own.table.emplace(entries_.front().key, entries_.begin());
  own.counts.num_entries += 1;
  own.counts.num_bytes += bytes;
  num_bytes_ += bytes;
}

void ResponseCache::Remove(Entries::iterator entry, Entries& removed) {
  Generation& own = generations_.at(entry->generation);
  own.table.erase(entry->key);
  own.counts.num_entries -= 1;
  own.counts.num_bytes -= entry->num_bytes;
  num_bytes_ -= entry->num_bytes;
  removed.splice(removed.end(), entries_, entry);
}

CacheStatistics ResponseCache::statistics(uint64_t generation) const {
  const MutexLock lock(&mutex_);
  const auto found = generations_.find(generation);
  return found == generations_.end() ? CacheStatistics{} : found->second.counts;
}

size_t ResponseCache::num_bytes() const {
  const MutexLock lock(&mutex_);
  return num_bytes_;
}

CachingServable::CachingServable(std::shared_ptr<Servable> inner,
                                 const Name& name, ResponseCache& cache,
                                 const Clock& clock)
    : inner_(std::move(inner)),
      cache_(cache),
      clock_(clock),
      scope_(fmt::format("{}\n{}", name.model, name.version)),
      generation_(cache.AddGeneration()) {}

CachingServable::~CachingServable() { cache_.RemoveGeneration(generation()); }

uint64_t CachingServable::generation() const {
  const MutexLock lock(&mutex_);
  return generation_;
}

void CachingServable::Renew() {
  uint64_t over = cache_.AddGeneration();
  {
    const MutexLock lock(&mutex_);
    std::swap(over, generation_);
    counts_.num_evictions += cache_.statistics(over).num_evictions;
  }
  cache_.RemoveGeneration(over);
}

absl::StatusOr<Tensors> CachingServable::Infer(const Tensors& request,
                                               const CallOptions& options,
                                               CallTimes* times) {
  Stopwatch stopwatch(clock_);
  RETURN_IF_ERROR(CheckWanted(options, clock_.NowUs()));
  CallTimes unasked;
  if (times == nullptr) times = &unasked;
  const uint64_t generation = this->generation();
  const std::string key = RequestKey(scope_, request, options);
  if (const auto found = cache_.Find(generation, key)) {
    Tensors answer = *found;
    times->from_cache = true;
    const MutexLock lock(&mutex_);
    ++counts_.num_hits;
    counts_.hit_us += stopwatch.ElapsedUs();
    return answer;
  }
  int64_t miss_us = stopwatch.ElapsedUs();
  auto answer = inner_->Infer(request, options, times);
  // Another call's answer may be older than this call's generation.
  if (answer.ok() && !times->from_cache) {
    stopwatch.LapUs();
    cache_.Insert(generation, key, std::make_shared<const Tensors>(*answer));
    miss_us += stopwatch.ElapsedUs();
  }
  const MutexLock lock(&mutex_);
  ++counts_.num_misses;
  counts_.miss_us += miss_us;
  return answer;
}

ServableCounts CachingServable::counts() const {
  ServableCounts counts = inner_->counts();
  const MutexLock lock(&mutex_);
  CacheStatistics& cache = counts.cache.emplace(cache_.statistics(generation_));
  cache.num_evictions += counts_.num_evictions;
  cache.num_hits = counts_.num_hits;
  cache.num_misses = counts_.num_misses;
  cache.hit_us = counts_.hit_us;
  cache.miss_us = counts_.miss_us;
  return counts;
}

}  // namespace quaver
