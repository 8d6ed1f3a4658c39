// See loader_threads.h.
#include "quaver/serve/internal/loader_threads.h"

#include "quaver/base/check.h"

namespace quaver {

LoaderThreads::LoaderThreads(int num_threads) {
  QUAVER_CHECK(num_threads >= 1);
  for (int i = 0; i < num_threads; ++i) {
    workers_.push_back(std::make_unique<Worker>());
  }
  for (const auto& worker : workers_) {
    worker->thread = std::thread([this, raw = worker.get()] { Work(*raw); });
  }
}

LoaderThreads::~LoaderThreads() {
  {
    const MutexLock lock(&mutex_);
    for (const auto& worker : workers_) worker->stopping = true;
  }
  for (const auto& worker : workers_) worker->thread.join();
}

LoaderThreads::Worker* LoaderThreads::FirstIdle() const {
  for (const auto& worker : workers_) {
    if (!worker->reserved) return worker.get();
  }
  return nullptr;
}

void LoaderThreads::Run(const std::function<void()>& work) {
  const MutexLock lock(&mutex_);
  mutex_.Await(this, &LoaderThreads::HasIdle);
  Worker* const worker = FirstIdle();
  worker->reserved = true;
  worker->work = &work;
  mutex_.Await<Worker>(worker, &Worker::IsDone);
  worker->reserved = false;
}

void LoaderThreads::Work(Worker& self) {
  for (;;) {
    const std::function<void()>* work = nullptr;
    {
      const MutexLock lock(&mutex_);
      mutex_.Await<Worker>(&self, &Worker::HasWork);
      if (self.work == nullptr) return;
      work = self.work;
    }
    (*work)();
    const MutexLock lock(&mutex_);
    self.work = nullptr;
  }
}

}  // namespace quaver
