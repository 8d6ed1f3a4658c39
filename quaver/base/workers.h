// How many cores there are, and a pool that uses no more than that.
#pragma once

#include <sched.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace quaver {

// Cores this process may use: the least of the affinity mask and the cgroup's
// quota (rounded up), at least 1.
int AvailableCores();

// The least CPU quota, in cores, of this process's cgroup and those above it
// (versions 1 and 2); infinity where there is none. `root` is put before /proc
// and /sys, for tests.
double QuotaCores(const std::string& root = "");

// Whether the cgroup's quota grants less than the cores of the affinity mask.
bool QuotaBinds();

// Pins the calling thread to the i-th core of its affinity mask (modulo their
// number). Best effort: false when the system refuses.
bool PinThisThread(int index);

// Pins the calling thread like PinThisThread, until destruction on that thread.
// Three system calls, about 1 us where it runs on that core already.
class ScopedPin {
 public:
  explicit ScopedPin(int index);
  ~ScopedPin();
  ScopedPin(const ScopedPin&) = delete;
  ScopedPin& operator=(const ScopedPin&) = delete;

 private:
  cpu_set_t before_;
  bool pinned_;
};

// Runs body(begin, end) over [0, count) split into chunks of at most `grain`,
// on `num_threads` threads, the calling one included; returns when all are
// done. Chunks are handed out in order; which thread runs one is not defined.
// `body` must not throw.
void ParallelFor(size_t count, size_t grain, int num_threads,
                 const std::function<void(size_t begin, size_t end)>& body);

}  // namespace quaver
