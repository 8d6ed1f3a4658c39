// See team.h.
#include "quaver/train/team.h"

#include <cstdint>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "quaver/base/check.h"
#include "quaver/base/mutex.h"

namespace quaver {

struct Team::Impl {
  Mutex mutex;
  const std::function<void(int)>* work ABSL_GUARDED_BY(mutex) = nullptr;
  uint64_t round ABSL_GUARDED_BY(mutex) = 0;  // 0: start; the last: stop
  int left ABSL_GUARDED_BY(mutex) = 0;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  std::vector<std::exception_ptr> errors;  // each a worker's own
  std::vector<std::thread> threads;

  bool AllDone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return left == 0;
  }

  // What one worker waits for.
  struct Turn {
    const Impl* team;
    uint64_t seen = 0;
    bool Has() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return team->stopping || team->round > seen;
    }
  };

  void Work(int worker, const std::function<void(int)>& start);
  void RunOne(int worker, const std::function<void(int)>& call);
};

void Team::Impl::RunOne(int worker, const std::function<void(int)>& call) {
  try {
    call(worker);
  } catch (...) {
    errors[worker] = std::current_exception();
  }
  const MutexLock lock(&mutex);
  --left;
}

void Team::Impl::Work(int worker, const std::function<void(int)>& start) {
  RunOne(worker, start);
  Turn turn = {this};
  while (true) {
    const std::function<void(int)>* call = nullptr;
    {
      const MutexLock lock(&mutex);
      mutex.Await(&turn, &Turn::Has);
      if (stopping) return;
      turn.seen = round;
      call = work;
    }
    RunOne(worker, *call);
  }
}

Team::Team(int size, const std::function<void(int worker)>& start)
    : impl_(std::make_unique<Impl>()) {
  QUAVER_CHECK(size >= 1);
  impl_->errors.resize(size);
  {
    const MutexLock lock(&impl_->mutex);
    impl_->left = size;
  }
  for (int i = 0; i < size; ++i) {
    impl_->threads.emplace_back([this, i, start] { impl_->Work(i, start); });
  }
  const MutexLock lock(&impl_->mutex);
  impl_->mutex.Await(impl_.get(), &Impl::AllDone);
}

Team::~Team() {
  {
    const MutexLock lock(&impl_->mutex);
    impl_->stopping = true;
  }
  for (std::thread& thread : impl_->threads) thread.join();
}

void Team::Run(const std::function<void(int worker)>& work) {
  {
    const MutexLock lock(&impl_->mutex);
    impl_->work = &work;
    impl_->left = size();
    ++impl_->round;
    impl_->mutex.Await(impl_.get(), &Impl::AllDone);
  }
  std::exception_ptr first;
  for (std::exception_ptr& error : impl_->errors) {
    if (!first) first = error;
    error = nullptr;
  }
  if (first) std::rethrow_exception(first);
}

int Team::size() const { return static_cast<int>(impl_->errors.size()); }

}  // namespace quaver
