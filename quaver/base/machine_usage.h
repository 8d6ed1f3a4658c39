// What is taken of the machine, by whatever runs on it.
#pragma once

#include <cstdint>
#include <string_view>

namespace quaver {

struct MachineUsage {
  // Of all cores since the boot, in the system's ticks.
  uint64_t busy_ticks = 0;
  uint64_t all_ticks = 0;
  int64_t total_bytes = 0;  // of memory
  int64_t used_bytes = 0;   // that programs could not have
};

// Two files of /proc; 0 for what the system does not tell. In a container it
// is still the machine's.
MachineUsage ReadMachineUsage();

// Of the texts of /proc/stat and /proc/meminfo. Waiting for a disk is idle, and
// a guest's time is in its host's already.
MachineUsage ParseMachineUsage(std::string_view stat, std::string_view meminfo);

}  // namespace quaver
