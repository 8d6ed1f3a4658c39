// Tests that encoding and generation allocate nothing, or what their contract
// says: they count every operator new.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
#include "quaver/engine/generation.h"
#include "quaver/engine/tiny_bart.h"
#include "quaver/engine/tiny_bert.h"

namespace {

std::atomic<int> num_allocations{0};

void* CountedAllocation(size_t bytes, size_t alignment) {
  ++num_allocations;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Not inlined: GCC would see malloc's memory meet operator delete and warn.
#define QUAVER_HOOK [[gnu::noinline]]

QUAVER_HOOK void* operator new(size_t bytes) {
  return CountedAllocation(bytes, alignof(std::max_align_t));
}
QUAVER_HOOK void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return CountedAllocation(bytes, alignof(std::max_align_t));
}
QUAVER_HOOK void* operator new(size_t bytes, std::align_val_t alignment) {
  return CountedAllocation(bytes, static_cast<size_t>(alignment));
}
QUAVER_HOOK void operator delete(void* memory) noexcept { std::free(memory); }
QUAVER_HOOK void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
QUAVER_HOOK void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
QUAVER_HOOK void operator delete(void* memory, size_t,
                                 std::align_val_t) noexcept {
  std::free(memory);
}

namespace quaver {
namespace {

using Way = std::pair<const Kernels*, Precision>;
std::vector<Way> Ways() {
  std::vector<Way> ways;
  for (const Kernels* kernels : AvailableKernels()) {
    for (const Precision precision : kPrecisions) {
      ways.emplace_back(kernels, precision);
    }
  }
  return ways;
}

TEST(AllocationTest, EncodeAllocatesNothing) {
  const std::string folder = testing::TempDir() + "/quaver_bert_allocation";
  TinyBert tiny;
  tiny.Wrap("pooling_mode_mean_tokens", /*normalize=*/true);
  tiny.WriteTo(folder);
  for (const auto& [kernels, precision] : Ways()) {
    const auto model = BertModel::Load(folder, *kernels, {precision, {}});
    ASSERT_TRUE(model.ok()) << model.status();
    const std::vector<int32_t> ids(400, 3);
    const std::vector<uint32_t> offsets = {0,   1,   40,  79,  100, 140, 180,
                                           220, 260, 300, 340, 380, 400};
    BertWorkspace workspace(**model, ids.size());
    std::vector<float> embeddings((offsets.size() - 1) * TinyBert::kWidth);
    const int before = num_allocations;
    EXPECT_GT(before, 0);  // the hook is in place
    (*model)->Encode({ids, offsets}, workspace, embeddings);
    EXPECT_EQ(num_allocations, before)
        << kernels->name << ", " << Name(precision);
  }
}

TEST(AllocationTest, DecodeAllocatesNothing) {
  const std::string folder = testing::TempDir() + "/quaver_bart_allocation";
  TinyBart().WriteTo(folder);
  for (const auto& [kernels, precision] : Ways()) {
    const auto model = BartModel::Load(folder, *kernels, {precision, {}});
    ASSERT_TRUE(model.ok()) << model.status();
    BartCache cache(**model, {8, 8});
    BartWorkspace workspace(**model, 8);
    const std::vector<int32_t> ids = {0, 5, 6, 2};
    const std::vector<uint32_t> offsets = {0, 4}, zero = {0}, one = {0, 1},
                                four = {4};
    const std::vector<int32_t> start = {2};
    std::vector<float> logits(TinyBart::kVocabulary);
    const int before = num_allocations;
    (*model)->Encode({ids, offsets}, zero, workspace, cache);
    (*model)->Decode({start, zero, zero, zero, one, zero, four}, workspace,
                     cache, logits);
    EXPECT_EQ(num_allocations, before)
        << kernels->name << ", " << Name(precision);
  }
}

TEST(AllocationTest, TeamsAllocateNothing) {
  CoreBudget budget(2);
  Team team({.threads = 2, .limit = 2, .budget = &budget});
  const int before = num_allocations;
  std::atomic<int> parts{0};
  for (int call = 0; call < 100; ++call) {
    const Team::Call begun(team);
    EXPECT_EQ(team.num_present(), 2u);
    team.Run(8, [&](size_t, size_t) { ++parts; });
  }
  EXPECT_EQ(num_allocations, before);
  EXPECT_EQ(parts, 800);
}

// Requests of 2 to 9 tokens, each with what `fill` adds.
template <typename Fill>
std::vector<GenerationRequest> Requests(const Fill& fill) {
  std::vector<GenerationRequest> requests;
  for (uint64_t i = 0; i < 8; ++i) {
    GenerationRequest request = {.id = i, .source = {0}};
    for (uint64_t t = 0; t < i; ++t) {
      request.source.push_back(static_cast<int32_t>(4 + (7 * i + t) % 50));
    }
    request.source.push_back(2);
    fill(&request);
    requests.push_back(std::move(request));
  }
  return requests;
}

// Allocations from Add to the last answer.
int CountGeneration(Generator& generator,
                    std::vector<GenerationRequest> requests) {
  std::vector<Generated> done;
  done.reserve(requests.size());
  const int before = num_allocations;
  for (size_t i = 0; i < requests.size(); ++i) {
    // Two at a time, so that they are at different steps.
    while (i - done.size() == 2) generator.Step(&done);
    EXPECT_TRUE(generator.Add(std::move(requests[i])).ok());
    generator.Step(&done);
  }
  while (!generator.idle()) generator.Step(&done);
  const int count = num_allocations - before;
  EXPECT_EQ(done.size(), requests.size());
  return count;
}

TEST(AllocationTest, GenerationAllocatesItsAnswers) {
  const std::string folder = testing::TempDir() + "/quaver_bart_generation";
  TinyBart().WriteTo(folder);
  GeneratorLimits limits;
  limits.max_requests = 2;
  limits.max_source_tokens = 12;
  limits.max_target_tokens = 20;
  limits.max_scored_tokens = 20;
  for (const auto& [kernels, precision] : Ways()) {
    for (const int threads : {1, 2}) {
      const auto model = BartModel::Load(folder, *kernels, {precision, {}});
      ASSERT_TRUE(model.ok()) << model.status();
      Generator generator(
          **model, limits,
          {.threads = threads, .limit = threads, .least_shared = 0});
      const auto greedy = Requests([](GenerationRequest*) {});
      const auto drafted = Requests([](GenerationRequest* request) {
        request->drafts = {request->source, {0, 5, 6, 7, 2}};
        request->options.no_repeat_ngram_size = 3;
        request->options.min_new_tokens = 4;
      });
      const auto scored = Requests([](GenerationRequest* request) {
        request->scored = {request->source};
      });
      // The tokens of each answer; scores of the scored texts.
      SCOPED_TRACE(fmt::format("{}, {}", kernels->name, Name(precision)));
      EXPECT_EQ(CountGeneration(generator, greedy), 8);
      EXPECT_EQ(CountGeneration(generator, drafted), 8);
      EXPECT_EQ(CountGeneration(generator, scored), 16);
    }
  }
}

}  // namespace
}  // namespace quaver
