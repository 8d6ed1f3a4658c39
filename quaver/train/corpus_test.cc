// Replays the fuzzers' corpora.
#include <filesystem>

#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/train/internal/fuzz_checks.h"

namespace quaver {
namespace {

// How many of the files were accepted.
int Replay(const std::string& name, bool (*check)(std::string_view)) {
  const std::string folder = QUAVER_SOURCE_DIR "/tests/corpora/" + name;
  int accepted = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().string());
    accepted += check(ReadFile(entry.path().string()).value()) ? 1 : 0;
  }
  return accepted;
}

TEST(CorpusTest, Configs) {
  EXPECT_GE(Replay("shape_fuzz", CheckBartConfig), 2);
}

TEST(CorpusTest, Recipes) {
  EXPECT_GE(Replay("recipe_fuzz", CheckRecipeJson), 2);
}

}  // namespace
}  // namespace quaver
