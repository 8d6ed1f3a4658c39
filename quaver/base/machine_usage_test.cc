// Tests of what is read of the machine.
#include "quaver/base/machine_usage.h"

#include <gtest/gtest.h>

namespace quaver {
namespace {

TEST(MachineUsageTest, ReadsTheSystemsTexts) {
  const MachineUsage usage = ParseMachineUsage(
      "cpu  100 20 30 4000 500 6 7 8 90 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n",
      "MemTotal:       1000 kB\nMemFree:         100 kB\n"
      "MemAvailable:    600 kB\nHugePages_Total:   0\n");
  EXPECT_EQ(usage.busy_ticks, 100u + 20 + 30 + 6 + 7 + 8);
  EXPECT_EQ(usage.all_ticks, usage.busy_ticks + 4000 + 500);
  EXPECT_EQ(usage.total_bytes, 1000 << 10);
  EXPECT_EQ(usage.used_bytes, 400 << 10);
}

TEST(MachineUsageTest, WhatIsNotThereIsZero) {
  const MachineUsage usage = ParseMachineUsage("", "nonsense\n");
  EXPECT_EQ(usage.busy_ticks, 0u);
  EXPECT_EQ(usage.all_ticks, 0u);
  EXPECT_EQ(usage.total_bytes, 0);
  EXPECT_EQ(usage.used_bytes, 0);
}

TEST(MachineUsageTest, ThisMachineWorksAndHasMemory) {
  const MachineUsage usage = ReadMachineUsage();
  EXPECT_GT(usage.busy_ticks, 0u);
  EXPECT_GE(usage.all_ticks, usage.busy_ticks);
  EXPECT_GT(usage.used_bytes, 0);
  EXPECT_GT(usage.total_bytes, usage.used_bytes);
}

}  // namespace
}  // namespace quaver
