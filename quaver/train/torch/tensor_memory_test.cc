// Tests of tensors' memory: kept by the thread that frees it, and whole.
#include "quaver/train/torch/tensor_memory.h"

#include <cstdint>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

const void* PlaceOf(const at::Tensor& tensor) { return tensor.data_ptr(); }

TEST(TensorMemoryTest, IsKeptForTheNextOfAboutThatSize) {
  KeepTensorMemory();
  at::Tensor first = at::empty({1'000}, at::kFloat);
  const void* place = PlaceOf(first);
  first.reset();
  const at::Tensor other = at::empty({2'000}, at::kFloat);
  EXPECT_NE(PlaceOf(other), place);
  const at::Tensor next = at::empty({1'001}, at::kFloat);
  EXPECT_EQ(PlaceOf(next), place);
  EXPECT_NE(PlaceOf(at::empty({1'000}, at::kFloat)), place);  // it is in use
}

TEST(TensorMemoryTest, IsAlignedAndHoldsEverySize) {
  KeepTensorMemory();
  std::vector<at::Tensor> tensors;
  for (int64_t size = 1; size < 3'000; size = size * 9 / 8 + 1) {
    tensors.push_back(at::full({size}, size, at::kInt));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(PlaceOf(tensors.back())) % 64, 0u);
  }
  for (const at::Tensor& tensor : tensors) {  // none lies in another
    EXPECT_TRUE(tensor.eq(tensor.numel()).all().item<bool>());
  }
  // libtorch frees nothing, too.
  EXPECT_EQ(at::gelu(at::empty({0}, at::kFloat)).numel(), 0);
}

TEST(TensorMemoryTest, GoesToTheThreadThatFreesIt) {
  KeepTensorMemory();
  at::Tensor tensor = at::empty({5'000}, at::kFloat);
  const void* place = PlaceOf(tensor);
  const void* seen = nullptr;
  std::thread([&] {
    tensor.reset();
    seen = PlaceOf(at::empty({5'000}, at::kFloat));
  }).join();
  EXPECT_EQ(seen, place);
}

TEST(TensorMemoryTest, OutlivesTheThreadThatMadeIt) {
  KeepTensorMemory();
  at::Tensor tensor;
  std::thread([&] { tensor = at::full({5'000}, 7, at::kFloat); }).join();
  EXPECT_TRUE(tensor.eq(7).all().item<bool>());
}

}  // namespace
}  // namespace quaver
