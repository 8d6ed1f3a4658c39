// See process_usage.h.
#include "quaver/base/process_usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/resource.h>

#include "quaver/base/file.h"

namespace quaver {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) * 1e-6;
}

int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0;
  int64_t resident = 0;
  file >> size >> resident;
  return file ? resident * sysconf(_SC_PAGESIZE) : 0;
}

int64_t OpenFiles() {
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  int64_t count = 0;
  for (; !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    ++count;
  }
  return count;
}

std::string CpuStat() {
  for (const char* path :
       {"/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat"}) {
    if (auto text = ReadFile(path); text.ok()) return *std::move(text);
  }
  return "";
}

}  // namespace

double ThrottledSeconds(std::string_view cpu_stat) {
  std::istringstream lines{std::string(cpu_stat)};
  std::string name;
  double value = 0;
  while (lines >> name >> value) {
    if (name == "throttled_usec") return value * 1e-6;
    if (name == "throttled_time") return value * 1e-9;
  }
  return 0;
}

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  rusage times = {};
  if (getrusage(RUSAGE_SELF, &times) == 0) {
    usage.cpu_seconds = Seconds(times.ru_utime) + Seconds(times.ru_stime);
  }
  usage.resident_bytes = ResidentBytes();
  usage.open_files = OpenFiles();
  usage.throttled_seconds = ThrottledSeconds(CpuStat());
  return usage;
}

}  // namespace quaver
