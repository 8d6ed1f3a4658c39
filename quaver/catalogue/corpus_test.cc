// Replays the fuzzers' corpora.
#include <filesystem>

#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/catalogue/internal/fuzz_checks.h"

namespace quaver {
namespace {

// How many files were replayed.
int Replay(const std::string& name, void (*check)(std::string_view)) {
  const std::string folder = QUAVER_SOURCE_DIR "/tests/corpora/" + name;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().string());
    check(ReadFile(entry.path().string()).value());
    ++count;
  }
  return count;
}

TEST(CorpusTest, DelimitedFiles) {
  EXPECT_GE(Replay("tsv_csv_fuzz", CheckDelimited), 10);
}

TEST(CorpusTest, JsonLines) { EXPECT_GE(Replay("jsonl_fuzz", CheckJsonl), 10); }

}  // namespace
}  // namespace quaver
