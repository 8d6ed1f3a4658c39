// See workers.h.
#include "quaver/base/workers.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace quaver {
namespace {

int AffinityCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// "QUOTA PERIOD", in microseconds, as cpu.max has it and as cgroups of version
// 1 have it in two files; infinity for "max", -1, or what is not there.
double ReadQuota(const std::string& quota_path,
                 const std::string& period_path) {
  std::ifstream file(quota_path);
  std::ifstream period_file(period_path);
  std::string quota;
  double period_us = 0;
  file >> quota;
  (quota_path == period_path ? file : period_file) >> period_us;
  const double quota_us = std::atof(quota.c_str());
  return quota_us > 0 && period_us > 0 ? quota_us / period_us : HUGE_VAL;
}

// Of `group` ("/a/b") and all above it.
double LeastQuota(const std::string& mount, std::string group,
                  const std::string& quota_file,
                  const std::string& period_file) {
  double least = HUGE_VAL;
  while (true) {
    const std::string folder = mount + group + "/";
    least =
        std::min(least, ReadQuota(folder + quota_file, folder + period_file));
    if (group.empty()) return least;
    group.resize(group.rfind('/'));
  }
}

bool HasController(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const size_t end = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, end) == wanted) return true;
    controllers.remove_prefix(std::min(end + 1, controllers.size()));
  }
  return false;
}

}  // namespace

double QuotaCores(const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  // The roots, in case the groups are named from outside of a container.
  double least = std::min(
      LeastQuota(mount, "", "cpu.max", "cpu.max"),
      LeastQuota(mount + "/cpu", "", "cpu.cfs_quota_us", "cpu.cfs_period_us"));
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "4:cpu,cpuacct:/a"
    const size_t first = line.find(':');
    const size_t second = line.find(":/", first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string group = line.substr(second + 1);
    if (group == "/") group.clear();
    if (controllers.empty()) {
      least = std::min(least, LeastQuota(mount, group, "cpu.max", "cpu.max"));
    } else if (HasController(controllers, "cpu")) {
      least =
          std::min(least, LeastQuota(mount + "/cpu", group, "cpu.cfs_quota_us",
                                     "cpu.cfs_period_us"));
    }
  }
  return least;
}

int AvailableCores() {
  const double quota = std::ceil(QuotaCores());
  const int affinity = AffinityCores();
  return quota < affinity ? std::max(1, static_cast<int>(quota)) : affinity;
}

bool QuotaBinds() { return QuotaCores() < AffinityCores(); }

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
