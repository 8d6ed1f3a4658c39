// See workers.h.
#include "quaver/base/workers.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace quaver {
namespace {

int AffinityCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// The cgroup's CPU quota in cores, or infinity.
double QuotaCores() {
  std::ifstream unified("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period_us = 0;
  if (unified >> quota >> period_us && quota != "max" && period_us > 0) {
    return std::atof(quota.c_str()) / period_us;
  }
  std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double quota_us = 0;
  if (quota_file >> quota_us && period_file >> period_us && quota_us > 0 &&
      period_us > 0) {
    return quota_us / period_us;
  }
  return HUGE_VAL;
}

}  // namespace

int AvailableCores() {
  const double quota = std::ceil(QuotaCores());
  const int affinity = AffinityCores();
  return quota < affinity ? std::max(1, static_cast<int>(quota)) : affinity;
}

bool PinThisThread(int index) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return false;
  int skip = index % std::max(1, CPU_COUNT(&allowed));
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || skip-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    return pthread_setaffinity_np(pthread_self(), sizeof(one), &one) == 0;
  }
  return false;
}

ScopedPin::ScopedPin(int index)
    : pinned_(sched_getaffinity(0, sizeof(before_), &before_) == 0 &&
              PinThisThread(index)) {}

ScopedPin::~ScopedPin() {
  if (pinned_) {
    pthread_setaffinity_np(pthread_self(), sizeof(before_), &before_);
  }
}

void ParallelFor(size_t count, size_t grain, int num_threads,
                 const std::function<void(size_t, size_t)>& body) {
  grain = std::max<size_t>(1, grain);
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t begin = next.fetch_add(grain); begin < count;
         begin = next.fetch_add(grain)) {
      body(begin, std::min(count, begin + grain));
    }
  };
  const size_t num_chunks = (count + grain - 1) / grain;
  const size_t num_helpers =
      std::min<size_t>(std::max(1, num_threads), num_chunks);
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < num_helpers; ++i) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace quaver
