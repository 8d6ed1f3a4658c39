// What this process has taken of the machine.
#pragma once

#include <cstdint>
#include <string_view>

namespace quaver {

struct ProcessUsage {
  double cpu_seconds = 0;        // of all threads, user and system
  int64_t resident_bytes = 0;    // now
  int64_t open_files = 0;        // descriptors, now
  double throttled_seconds = 0;  // the cgroup's, by its CPU quota; 0: no quota
};

// Some files of /proc and of the cgroup (versions 1 and 2), about 50 us; 0 for
// what the system does not tell.
ProcessUsage ReadProcessUsage();

// Of the text of a cgroup's cpu.stat: version 2 counts throttled_usec, version
// 1 throttled_time in nanoseconds. 0 without such a line.
double ThrottledSeconds(std::string_view cpu_stat);

}  // namespace quaver
