// Answers that were given before, for all models out of one pool.
//
//   ResponseCache cache(/*max_bytes=*/64 << 20);  // outlives the servables
//   CachingServable cached(model, {"encoder", 1}, cache);
//
// Law
//
// An answer is found by its whole request (request_key.h), which is stored and
// compared byte by byte: no two requests are ever mistaken for one another.
// Entries are charged with the bytes of request and answer and kEntryOverhead;
// together they never have more than max_bytes: the one that was not asked for
// longest goes first. An answer that would not fit an empty pool is not stored;
// neither are errors, cancellations among them.
//
// Each CachingServable is a generation of its own: what another one stored is
// never found, also not under the same name and version, and all it stored goes
// with it. Renew begins the next one, where what lies behind it has changed: an
// answer belongs to the generation in which its call began. What single flight
// behind it took from another call is stored by that call alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"

#include "quaver/base/clock.h"
#include "quaver/base/mutex.h"
#include "quaver/sched/request_key.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Thread-safe.
class ResponseCache {
 public:
  static constexpr size_t kEntryOverhead = 256;  // of lists, tables, pointers

  explicit ResponseCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // A generation, never given twice.
  uint64_t AddGeneration() ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets its entries and its counts.
  void RemoveGeneration(uint64_t generation) ABSL_LOCKS_EXCLUDED(mutex_);

  // Null if it is not there.
  std::shared_ptr<const Tensors> Find(uint64_t generation,
                                      const std::string& key)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Does nothing for a generation that was removed.
  void Insert(uint64_t generation, const std::string& key,
              std::shared_ptr<const Tensors> answer)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Only num_evictions, num_entries and num_bytes are set.
  CacheStatistics statistics(uint64_t generation) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  size_t num_bytes() const ABSL_LOCKS_EXCLUDED(mutex_);  // of all
  size_t max_bytes() const { return max_bytes_; }

 private:
  struct Entry {
    uint64_t generation;
    std::string key;
    std::shared_ptr<const Tensors> answer;
    size_t num_bytes;
  };
  using Entries = std::list<Entry>;
  struct Generation {
    // By the keys in the entries.
    std::unordered_map<std::string_view, Entries::iterator> table;
    CacheStatistics counts;
  };
  // Moves the entry to `removed`, to be destroyed without the mutex.
  void Remove(Entries::iterator entry, Entries& removed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_bytes_;
  mutable Mutex mutex_;
  uint64_t next_generation_ ABSL_GUARDED_BY(mutex_) = 1;
  Entries entries_ ABSL_GUARDED_BY(mutex_);  // last used first
  std::map<uint64_t, Generation> generations_ ABSL_GUARDED_BY(mutex_);
  size_t num_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Answers from the cache, else asks `inner` and stores its answer. Calls that
// are late or cancelled are refused, also where the answer is there. The times
// of a call that was answered from the cache say from_cache and nothing else.
// Thread-safe.
class CachingServable : public Servable {
 public:
  // The model's name and version.
  struct Name {
    std::string model;
    int64_t version = 1;
  };

  // `cache` outlives it.
  CachingServable(std::shared_ptr<Servable> inner, const Name& name,
                  ResponseCache& cache, const Clock& clock = Clock::Real());
  ~CachingServable() override;

  std::vector<TensorSpec> inputs() const override { return inner_->inputs(); }
  std::vector<TensorSpec> outputs() const override { return inner_->outputs(); }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing that a call which began before may answer is found from now on.
  void Renew() ABSL_LOCKS_EXCLUDED(mutex_);

  // Those of all its generations.
  ServableCounts counts() const override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Resize(int num_instances) override {
    return inner_->Resize(num_instances);
  }

 private:
  uint64_t generation() const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<Servable> inner_;
  ResponseCache& cache_;
  const Clock& clock_;
  const std::string scope_;  // name and version
  mutable Mutex mutex_;
  uint64_t generation_ ABSL_GUARDED_BY(mutex_);
  // Hits and misses; evictions of generations that are over.
  CacheStatistics counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
