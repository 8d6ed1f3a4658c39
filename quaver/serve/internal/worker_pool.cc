// See worker_pool.h.
#include "quaver/serve/internal/worker_pool.h"

#include "quaver/base/check.h"

namespace quaver {

WorkerPool::WorkerPool(int num_threads, size_t max_queue)
    : max_queue_(max_queue) {
  QUAVER_CHECK(num_threads > 0);
  num_idle_ = static_cast<size_t>(num_threads);
  for (int i = 0; i < num_threads; ++i) {
    threads_.emplace_back([this] { Run(); });
  }
}

WorkerPool::~WorkerPool() { Stop(); }

bool WorkerPool::TryPost(std::function<void()> job) {
  const MutexLock lock(&mutex_);
  if (stopping_ || queue_.size() >= num_idle_ + max_queue_) return false;
  queue_.push_back(std::move(job));
  return true;
}

void WorkerPool::Stop() {
  {
    const MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

bool WorkerPool::HasWork() const { return stopping_ || !queue_.empty(); }

void WorkerPool::Run() {
  while (true) {
    std::function<void()> job;
    {
      const MutexLock lock(&mutex_);
      mutex_.Await(this, &WorkerPool::HasWork);
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      --num_idle_;
    }
    job();
    job = nullptr;  // what it owns goes before the thread counts as idle
    const MutexLock lock(&mutex_);
    ++num_idle_;
  }
}

}  // namespace quaver
