// See tensor_memory.h.
#include "quaver/train/torch/tensor_memory.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include <c10/core/CPUAllocator.h>

namespace quaver {
namespace {

constexpr size_t kAlignment = 64;
constexpr int kStepBits = 3;  // sizes between two powers of two, as a power
constexpr size_t kSteps = size_t{1} << kStepBits;

// The size that blocks for `wanted` bytes have: an eighth more at most.
struct SizeClass {
  explicit SizeClass(size_t wanted) {
    const size_t least = std::max(wanted, kSteps);
    const int shift = static_cast<int>(std::bit_width(least)) - 1 - kStepBits;
    const size_t steps = (least + (size_t{1} << shift) - 1) >> shift;
    bytes = steps << shift;
    index = static_cast<size_t>(shift) * kSteps + steps - kSteps;
  }
  size_t index = 0, bytes = 0;
};
constexpr size_t kClasses = 64 * kSteps;

// What stands before a tensor's bytes.
struct alignas(kAlignment) Block {
  size_t size_class = 0;
};

// What a thread has freed, by class.
class Kept {
 public:
  ~Kept() {
    for (const auto& blocks : blocks_) {
      for (Block* block : blocks) std::free(block);
    }
  }
  Block* Take(size_t size_class) {
    auto& blocks = blocks_[size_class];
    if (blocks.empty()) return nullptr;
    Block* block = blocks.back();
    blocks.pop_back();
    return block;
  }
  void Give(Block* block) { blocks_[block->size_class].push_back(block); }

 private:
  std::array<std::vector<Block*>, kClasses> blocks_;
};

// Null once the thread is ending: tensors may be freed later still.
thread_local Kept* kept = nullptr;
thread_local bool ended = false;

Kept* OwnKept() {
  struct Owner {
    Owner() { kept = &own; }
    ~Owner() {
      kept = nullptr;
      ended = true;
    }
    Kept own;
  };
  if (kept == nullptr && !ended) {
    thread_local Owner owner;
  }
  return kept;
}

void Free(void* data) {
  if (data == nullptr) return;  // of an empty tensor
  Block* block = static_cast<Block*>(data) - 1;
  Kept* own = OwnKept();
  if (own == nullptr) {
    std::free(block);
  } else {
    own->Give(block);
  }
}

class Allocator final : public at::Allocator {
 public:
  at::DataPtr allocate(size_t bytes) const override {
    const at::Device cpu(at::DeviceType::CPU);
    if (bytes == 0) return {nullptr, cpu};
    const SizeClass size(bytes);
    Kept* own = OwnKept();
    Block* block = own == nullptr ? nullptr : own->Take(size.index);
    if (block == nullptr) {
      void* fresh = nullptr;
      if (posix_memalign(&fresh, kAlignment, sizeof(Block) + size.bytes) != 0) {
        throw std::bad_alloc();
      }
      block = new (fresh) Block{size.index};
    }
    void* data = block + 1;
    return {data, data, &Free, cpu};
  }
  at::DeleterFnPtr raw_deleter() const override { return &Free; }
};

}  // namespace

void KeepTensorMemory() {
  static Allocator& allocator = *new Allocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/1);
}

}  // namespace quaver
