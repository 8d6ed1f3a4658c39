// See arena.h.
#include "quaver/engine/internal/arena.h"

#include <cstdlib>

#include <sys/mman.h>

#include "quaver/base/check.h"

namespace quaver {
namespace {

constexpr size_t kPieceFloats = 64 / sizeof(float);
constexpr size_t kHugePage = size_t{2} << 20;

size_t RoundUp(size_t count, size_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

size_t Alignment(size_t bytes) {
  return bytes >= kHugePage ? kHugePage : kPieceFloats * sizeof(float);
}

}  // namespace

FloatArena::FloatArena(size_t floats) : size_(Rounded(floats)) {
  if (size_ == 0) return;
  const size_t alignment = Alignment(size_ * sizeof(float));
  memory_.reset(static_cast<float*>(std::aligned_alloc(alignment, bytes())));
  QUAVER_CHECK(memory_ != nullptr);
  if (alignment == kHugePage) madvise(memory_.get(), bytes(), MADV_HUGEPAGE);
}

size_t FloatArena::Bytes(size_t floats) {
  const size_t bytes = Rounded(floats) * sizeof(float);
  return RoundUp(bytes, Alignment(bytes));
}

size_t FloatArena::Rounded(size_t floats) {
  return RoundUp(floats, kPieceFloats);
}

float* FloatArena::Take(size_t floats) {
  const size_t begin = used_;
  used_ += Rounded(floats);
  QUAVER_CHECK(used_ <= size_);
  return memory_.get() + begin;
}

void FloatArena::Free::operator()(float* memory) const { std::free(memory); }

}  // namespace quaver
