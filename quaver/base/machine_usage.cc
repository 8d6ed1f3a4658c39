// See machine_usage.h.
#include "quaver/base/machine_usage.h"

#include <fstream>
#include <sstream>
#include <string>

namespace quaver {
namespace {

// Not by ReadFile: files of /proc have no size.
std::string TextOf(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

MachineUsage ParseMachineUsage(std::string_view stat,
                               std::string_view meminfo) {
  MachineUsage usage;
  std::istringstream cpu{std::string(stat)};
  std::string word;
  cpu >> word;  // "cpu", of all cores
  // user nice system idle iowait irq softirq steal, then the guests'
  constexpr int kIdle = 3;
  constexpr int kWaiting = 4;
  constexpr int kNumStates = 8;
  uint64_t ticks = 0;
  for (int state = 0; state < kNumStates && cpu >> ticks; ++state) {
    usage.all_ticks += ticks;
    if (state != kIdle && state != kWaiting) usage.busy_ticks += ticks;
  }
  std::istringstream memory{std::string(meminfo)};
  int64_t available_bytes = 0;
  for (std::string line; std::getline(memory, line);) {
    std::istringstream words(line);
    int64_t kibibytes = 0;
    if (!(words >> word >> kibibytes)) continue;
    if (word == "MemTotal:") usage.total_bytes = kibibytes << 10;
    if (word == "MemAvailable:") available_bytes = kibibytes << 10;
  }
  usage.used_bytes = usage.total_bytes - available_bytes;
  return usage;
}

MachineUsage ReadMachineUsage() {
  return ParseMachineUsage(TextOf("/proc/stat"), TextOf("/proc/meminfo"));
}

}  // namespace quaver
