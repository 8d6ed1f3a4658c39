// Replays the fuzzers' corpora.
#include <filesystem>

#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/text/internal/fuzz_checks.h"

namespace quaver {
namespace {

void Replay(const std::string& name, void (*check)(std::string_view)) {
  const std::string folder = QUAVER_SOURCE_DIR "/tests/corpora/" + name;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path());
    const auto content = ReadFile(entry.path());
    ASSERT_TRUE(content.ok()) << content.status();
    check(*content);
    ++files;
  }
  EXPECT_GT(files, 0) << folder;
}

TEST(CorpusTest, Normalize) { Replay("normalize_fuzz", CheckNormalize); }
TEST(CorpusTest, TokenizerJson) {
  Replay("tokenizer_json_fuzz", CheckTokenizerJson);
}
TEST(CorpusTest, WordPiece) { Replay("wordpiece_fuzz", CheckWordPiece); }
TEST(CorpusTest, BpeJson) { Replay("bpe_json_fuzz", CheckBpeJson); }
TEST(CorpusTest, BpeVocabulary) {
  Replay("bpe_vocabulary_fuzz", CheckBpeVocabulary);
}

}  // namespace
}  // namespace quaver
