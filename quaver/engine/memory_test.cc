// Tests that what an instance takes is known before it is made.
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
#include "quaver/engine/generation.h"
#include "quaver/engine/internal/arena.h"
#include "quaver/engine/internal/layer_pass.h"
#include "quaver/engine/tiny_bart.h"
#include "quaver/engine/tiny_bert.h"

namespace quaver {
namespace {

TEST(FloatArenaTest, TakesWholePiecesOrWholeHugePages) {
  EXPECT_EQ(FloatArena::Bytes(0), 0u);
  EXPECT_EQ(FloatArena::Bytes(1), 64u);
  EXPECT_EQ(FloatArena::Bytes(17), 128u);
  EXPECT_EQ(FloatArena::Bytes((size_t{1} << 19) - 16), (size_t{2} << 20) - 64);
  EXPECT_EQ(FloatArena::Bytes((size_t{1} << 19) + 1), size_t{4} << 20);
  FloatArena arena(33);
  EXPECT_EQ(arena.bytes(), 192u);
  float* first = arena.Take(16);
  EXPECT_EQ(arena.Take(17), first + 16);
}

TEST(LayerBuffersTest, TakeWhatTheirSizesSay) {
  for (const int threads : {1, 3}) {
    const TeamConfig team = {.threads = threads, .limit = threads};
    const LayerSizes sizes = {
        .M = 7, .D = 24, .inner = 100, .scratch = 33, .summaries = 21};
    const LayerBuffers buffers(sizes, team);
    EXPECT_EQ(buffers.arena.bytes(), LayerBuffers::Bytes(sizes, team));
  }
}

TEST(WorkspaceTest, BytesOfAnEncoderAreKnown) {
  const std::string folder = testing::TempDir() + "/quaver_bert_memory";
  TinyBert().WriteTo(folder);
  const auto config = ReadBertConfig(folder);
  ASSERT_TRUE(config.ok()) << config.status();
  for (const Kernels* kernels : AvailableKernels()) {
    const auto model = BertModel::Load(folder, *kernels);
    ASSERT_TRUE(model.ok()) << model.status();
    size_t last = 0;
    for (const size_t max_tokens : {1, 39, 256}) {
      for (const int threads : {1, 2}) {
        const TeamConfig team = {.threads = threads, .limit = threads};
        const size_t bytes =
            BertWorkspace::Bytes(*config, *kernels, max_tokens, team);
        EXPECT_EQ(BertWorkspace(**model, max_tokens, team).bytes(), bytes);
        EXPECT_GT(bytes, last) << "a thread has scratch of its own";
        last = bytes;
      }
    }
    // Beyond a block there is nothing to keep.
    EXPECT_EQ(BertWorkspace::Bytes(*config, *kernels, 5000),
              BertWorkspace::Bytes(*config, *kernels, 256));
  }
}

TEST(WorkspaceTest, BytesOfAGeneratorAreKnown) {
  const std::string folder = testing::TempDir() + "/quaver_bart_memory";
  TinyBart().WriteTo(folder);
  const auto config = ReadBartConfig(folder);
  ASSERT_TRUE(config.ok()) << config.status();
  GeneratorLimits limits;
  limits.max_source_tokens = 12;
  limits.max_target_tokens = 20;
  for (const Kernels* kernels : AvailableKernels()) {
    const auto model = BartModel::Load(folder, *kernels);
    ASSERT_TRUE(model.ok()) << model.status();
    for (const int requests : {1, 8}) {
      limits.max_requests = requests;
      const size_t bytes = Generator::Bytes(*config, *kernels, limits);
      EXPECT_EQ(Generator(**model, limits).bytes(), bytes);
      const BartCache::Size size = {static_cast<size_t>(requests) * 12, 300};
      EXPECT_EQ(BartCache(**model, size).bytes(),
                BartCache::Bytes(*config, size));
    }
  }
}

}  // namespace
}  // namespace quaver
