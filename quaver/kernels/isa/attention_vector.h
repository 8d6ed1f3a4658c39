// Attention over one vector type: of a sequence, and of one row.
//
// Part of dense_vector.h, whose products and vectors it stands on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quaver {
namespace {

// Softmax of `scale` times the row, in place. Lane by lane over the keys.
void Softmax(float* scores, size_t T, Float scale) {
  Float max = Vec::Set(scores[0]);
  for (size_t t = 0; t < T; t += kLanes) {
    const Float part = Vec::LoadPart(scores + t, T - t);
    const Float padding = Vec::Sub(max, Vec::FirstLanes(max, T - t));
    max = Vec::Max(max, Vec::Add(part, padding));
  }
  max = Vec::Set(Vec::MaxOf(max));
  Float sum = Vec::Zero();
  for (size_t t = 0; t < T; t += kLanes) {
    const Float part = Vec::Sub(Vec::LoadPart(scores + t, T - t), max);
    const Float power = ExpOfNegative(Vec::Mul(part, scale));
    Vec::StorePart(scores + t, T - t, power);
    sum = Vec::Add(sum, Vec::FirstLanes(power, T - t));
  }
  const Float inverse = Vec::Div(Vec::Set(1.0f), Vec::Set(Vec::Sum(sum)));
  for (size_t t = 0; t < T; t += kLanes) {
    const Float part = Vec::LoadPart(scores + t, T - t);
    Vec::StorePart(scores + t, T - t, Vec::Mul(part, inverse));
  }
}

// Copies a head's values, [T, head_width] with a stride, into panels.
void PackValues(const float* values, size_t stride, size_t T, size_t head_width,
                float* packed) {
  for (size_t column = 0; column < head_width; column += kColumns) {
    for (size_t t = 0; t < T; ++t, packed += kColumns) {
      const float* row = values + t * stride + column;
      const size_t count = head_width - column;
      Vec::Store(packed, Vec::LoadPart(row, count));
      Vec::Store(packed + kLanes,
                 count > kLanes ? Vec::LoadPart(row + kLanes, count - kLanes)
                                : Vec::Zero());
    }
  }
}

// Scratch holds the packed keys, the packed values and a tile of scores.
size_t AttentionScratch(size_t T, size_t H, size_t D) {
  const size_t head_width = D / H;
  return PackedSize(T, head_width) + PackedSize(head_width, T) +
         kTileRows * RoundUp(T, kLanes);
}

void AttendHead(const float* query, size_t T, size_t head_width, size_t D,
                float* scratch, float* out) {
  const size_t stride = 3 * D;
  float* keys = scratch;
  float* values = keys + PackedSize(T, head_width);
  float* scores = values + PackedSize(head_width, T);
  const size_t scores_stride = RoundUp(T, kLanes);
  PackStrided(query + D, stride, T, head_width, keys);
  PackValues(query + 2 * D, stride, T, head_width, values);
  const Float scale = Vec::Div(
      Vec::Set(1.0f), Vec::Sqrt(Vec::Set(static_cast<float>(head_width))));
  for (size_t row = 0; row < T; row += kTileRows) {
    const size_t M = T - row < kTileRows ? T - row : kTileRows;
    Multiply({query + row * stride, stride, keys, nullptr, nullptr, M, T,
              head_width, Epilogue::kBias, scores, scores_stride});
    for (size_t m = 0; m < M; ++m) {
      Softmax(scores + m * scores_stride, T, scale);
    }
    Multiply({scores, scores_stride, values, nullptr, nullptr, M, head_width, T,
              Epilogue::kBias, out + row * D, D});
  }
}

void Attention(const float* qkv, size_t T, size_t H, size_t D, size_t begin,
               size_t end, float* scratch, float* out) {
  const size_t head_width = D / H;
  for (size_t head = begin; head < end; ++head) {
    AttendHead(qkv + head * head_width, T, head_width, D, scratch,
               out + head * head_width);
  }
}

// A lane for each of some heads, for every key.
size_t AttendRowScratch(size_t N) { return N * kLanes; }

// What follows is compiled for heads of kVectors vectors, 0 for any other
// width.
template <size_t kVectors>
Float HeadProduct(const float* query, const float* key, size_t head_width) {
  Float sum = Vec::Zero();
  if constexpr (kVectors > 0) {
    QUAVER_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      sum = Vec::MulAdd(Vec::Load(query + v * kLanes),
                        Vec::Load(key + v * kLanes), sum);
    }
    return sum;
  }
  for (size_t i = 0; i < head_width; i += kLanes) {
    sum = Vec::MulAdd(Vec::LoadPart(query + i, head_width - i),
                      Vec::LoadPart(key + i, head_width - i), sum);
  }
  return sum;
}

// The sum of N rows of values, each times its score.
template <size_t kVectors, typename Place>
void AddValues(const float* scores, const float* values, const Place& place,
               size_t N, size_t head_width, float* out) {
  if constexpr (kVectors > 0) {
    Float sums[kVectors];
    QUAVER_UNROLL
    for (size_t v = 0; v < kVectors; ++v) sums[v] = Vec::Zero();
    for (size_t n = 0; n < N; ++n) {
      const Float score = Vec::Set(scores[n * kLanes]);
      const float* value = values + place(n);
      QUAVER_UNROLL
      for (size_t v = 0; v < kVectors; ++v) {
        sums[v] = Vec::MulAdd(score, Vec::Load(value + v * kLanes), sums[v]);
      }
    }
    QUAVER_UNROLL
    for (size_t v = 0; v < kVectors; ++v) Vec::Store(out + v * kLanes, sums[v]);
    return;
  }
  for (size_t i = 0; i < head_width; i += kLanes) {
    Float sum = Vec::Zero();
    for (size_t n = 0; n < N; ++n) {
      sum = Vec::MulAdd(Vec::Set(scores[n * kLanes]),
                        Vec::LoadPart(values + place(n) + i, head_width - i),
                        sum);
    }
    Vec::StorePart(out + i, head_width - i, sum);
  }
}

// Softmax over N keys of `scale` times the scores, each lane by itself.
void SoftmaxOfLanes(float* scores, size_t N, Float scale) {
  Float max = Vec::Load(scores);
  for (size_t n = 1; n < N; ++n) {
    max = Vec::Max(max, Vec::Load(scores + n * kLanes));
  }
  Float sum = Vec::Zero();
  for (size_t n = 0; n < N; ++n) {
    const Float part = Vec::Sub(Vec::Load(scores + n * kLanes), max);
    const Float power = ExpOfNegative(Vec::Mul(part, scale));
    Vec::Store(scores + n * kLanes, power);
    sum = Vec::Add(sum, power);
  }
  const Float inverse = Vec::Div(Vec::Set(1.0f), sum);
  for (size_t n = 0; n < N; ++n) {
    Vec::Store(scores + n * kLanes,
               Vec::Mul(Vec::Load(scores + n * kLanes), inverse));
  }
}

template <size_t kVectors>
void AttendHeads(const float* query, const float* keys, const float* values,
                 size_t stride, const uint32_t* rows, size_t N,
                 size_t num_heads, size_t head_width, float* scratch,
                 float* out) {
  const auto place = [&](size_t n) {
    return (rows == nullptr ? n : rows[n]) * stride;
  };
  for (size_t n = 0; n < N; ++n) {
    const float* key = keys + place(n);
    Float parts[kLanes];
    for (size_t h = 0; h < num_heads; ++h) {
      parts[h] = HeadProduct<kVectors>(query + h * head_width,
                                       key + h * head_width, head_width);
    }
    for (size_t h = num_heads; h < kLanes; ++h) parts[h] = Vec::Zero();
    Vec::Store(scratch + n * kLanes, Vec::SumEach(parts));
  }
  SoftmaxOfLanes(scratch, N,
                 Vec::Div(Vec::Set(1.0f),
                          Vec::Sqrt(Vec::Set(static_cast<float>(head_width)))));
  for (size_t h = 0; h < num_heads; ++h) {
    AddValues<kVectors>(scratch + h, values + h * head_width, place, N,
                        head_width, out + h * head_width);
  }
}

void AttendRow(const float* query, const float* keys, const float* values,
               size_t stride, const uint32_t* rows, size_t N, size_t H,
               size_t D, float* scratch, float* out) {
  const size_t head_width = D / H;
  const auto attend = head_width == 32   ? AttendHeads<32 / kLanes>
                      : head_width == 64 ? AttendHeads<64 / kLanes>
                                         : AttendHeads<0>;
  for (size_t head = 0; head < H; head += kLanes) {
    const size_t begin = head * head_width;
    attend(query + begin, keys + begin, values + begin, stride, rows, N,
           H - head < kLanes ? H - head : kLanes, head_width, scratch,
           out + begin);
  }
}

}  // namespace
}  // namespace quaver
