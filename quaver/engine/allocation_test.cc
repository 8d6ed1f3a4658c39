// Test that encoding allocates nothing: it counts every operator new.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
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

TEST(AllocationTest, EncodeAllocatesNothing) {
  const std::string folder = testing::TempDir() + "/quaver_bert_allocation";
  TinyBert tiny;
  tiny.Wrap("pooling_mode_mean_tokens", /*normalize=*/true);
  tiny.WriteTo(folder);
  for (const Kernels* kernels : AvailableKernels()) {
    for (const Precision precision : {Precision::kFp32, Precision::kInt8}) {
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
}

TEST(AllocationTest, DecodeAllocatesNothing) {
  const std::string folder = testing::TempDir() + "/quaver_bart_allocation";
  TinyBart().WriteTo(folder);
  for (const Precision precision : {Precision::kFp32, Precision::kInt8}) {
    const auto model = BartModel::Load(folder, BestKernels(), {precision, {}});
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
    EXPECT_EQ(num_allocations, before) << Name(precision);
  }
}

}  // namespace
}  // namespace quaver
