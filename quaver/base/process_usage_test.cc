// Tests of what the process says of itself.
#include "quaver/base/process_usage.h"

#include <unistd.h>

#include <vector>

#include <gtest/gtest.h>

namespace quaver {
namespace {

TEST(ProcessUsageTest, MemoryAndProcessorGrowWithWhatIsUsed) {
  const ProcessUsage before = ReadProcessUsage();
  std::vector<char> block(64 << 20, 'x');
  ProcessUsage after = ReadProcessUsage();
  EXPECT_GE(after.resident_bytes - before.resident_bytes, 60 << 20);
  while (after.cpu_seconds <= before.cpu_seconds) after = ReadProcessUsage();
  EXPECT_EQ(block[block.size() / 2], 'x');
}

TEST(ProcessUsageTest, DescriptorsAreCounted) {
  const int64_t before = ReadProcessUsage().open_files;
  const int descriptor = dup(0);
  ASSERT_GE(descriptor, 0);
  EXPECT_EQ(ReadProcessUsage().open_files, before + 1);
  close(descriptor);
}

TEST(ProcessUsageTest, ThrottlingIsReadInBothVersions) {
  EXPECT_EQ(ThrottledSeconds("usage_usec 5\nnr_throttled 2\n"
                             "throttled_usec 2500000\n"),
            2.5);
  EXPECT_EQ(ThrottledSeconds("nr_periods 1\nnr_throttled 1\n"
                             "throttled_time 1500000000\n"),
            1.5);
  EXPECT_EQ(ThrottledSeconds("usage_usec 5\n"), 0);
  EXPECT_EQ(ThrottledSeconds(""), 0);
}

}  // namespace
}  // namespace quaver
