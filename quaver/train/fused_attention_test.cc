// Tests of fused attention against plain code in double precision.
#include <algorithm>
#include <thread>

#include "quaver/train/internal/fused_checks.h"

namespace quaver::fused {
namespace {

template <typename T>
class AttentionTest : public testing::Test {};
using Types = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(AttentionTest, Types);

struct Lengths {
  std::vector<int32_t> q_offsets, k_offsets, k_counts;
  bool causal = false;
};

// Texts to themselves, the past only; to others; and where keys were padded.
const Lengths kCausal = {{0, 1, 5, 8}, {0, 1, 5, 8}, {1, 4, 3}, true};
const Lengths kCross = {{0, 1, 5, 8}, {0, 3, 5, 12}, {3, 2, 7}};
const Lengths kPadded = {{0, 4, 8, 12}, {0, 5, 10, 15}, {5, 1, 3}};
const Lengths kLong = {{0, 3}, {0, 19}, {18}};  // more keys than a vector has
const Lengths kPaddedCausal = {{0, 4, 8}, {0, 4, 8}, {4, 2}, true};

constexpr int kHeads = 2;

struct AttentionIn {
  Lengths lengths;
  int64_t dim;
  Doubles q, k, v, q_bias, k_bias, v_bias;
  int64_t width() const { return kHeads * dim; }
};

// One head of one query; adds its probabilities to `p`, zeros where it does
// not look.
void Attend(const AttentionIn& in, int64_t s, int64_t h, int64_t query,
            Doubles* out, Doubles* p) {
  const int64_t k0 = in.lengths.k_offsets[s], width = in.width();
  const int64_t keys = in.lengths.k_offsets[s + 1] - k0;
  Doubles weights(keys);
  double sum = 0;
  for (int64_t j = 0; j < in.lengths.k_counts[s]; ++j) {
    if (in.lengths.causal && j > query - in.lengths.q_offsets[s]) continue;
    double score = 0;
    for (int64_t c = h * in.dim; c < (h + 1) * in.dim; ++c) {
      score += (in.q[query * width + c] + in.q_bias[c]) *
               (in.k[(k0 + j) * width + c] + in.k_bias[c]);
    }
    weights[j] = std::exp(score / std::sqrt(static_cast<double>(in.dim)));
    sum += weights[j];
  }
  for (int64_t j = 0; j < keys; ++j) {
    p->push_back(weights[j] / sum);
    for (int64_t c = h * in.dim; c < (h + 1) * in.dim; ++c) {
      (*out)[query * width + c] +=
          weights[j] / sum * (in.v[(k0 + j) * width + c] + in.v_bias[c]);
    }
  }
  p->resize(p->size() + Attention<float>::RowStride(keys) - keys);
}

// [queries, width], and the probabilities as Attention lays them out.
std::pair<Doubles, Doubles> Attended(const AttentionIn& in) {
  Doubles out(in.q.size()), p;
  const auto& offsets = in.lengths.q_offsets;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    for (int64_t h = 0; h < kHeads; ++h) {
      for (int64_t query = offsets[s]; query < offsets[s + 1]; ++query) {
        Attend(in, static_cast<int64_t>(s), h, query, &out, &p);
      }
    }
  }
  return {out, p};
}

// Keys and values lie side by side in one array; rows are longer than what is
// in them.
template <typename T>
struct Run {
  Run(const Lengths& lengths_, int64_t dim) : lengths(lengths_) {
    const int64_t width = kHeads * dim;
    const int64_t queries = lengths.q_offsets.back();
    q_stride = width + 3, kv_stride = 2 * width + 1;
    q = Normals<T>(queries * q_stride, 1);
    kv = Normals<T>(lengths.k_offsets.back() * kv_stride, 2);
    bias = Normals<T>(3 * width, 3);
    dout = Normals<T>(queries * width, 4);
    out.resize(dout.size());
    dq = Normals<T>(queries * q_stride, 5);  // to be overwritten
    dkv = Normals<T>(static_cast<int64_t>(kv.size()), 6);
    int64_t size = 0;
    for (size_t s = 0; s < lengths.k_counts.size(); ++s) {
      p_offsets.push_back(size);
      size += int64_t{kHeads} *
              (lengths.q_offsets[s + 1] - lengths.q_offsets[s]) *
              Attention<T>::RowStride(lengths.k_offsets[s + 1] -
                                      lengths.k_offsets[s]);
    }
    p.resize(size, -1);
    op.heads = kHeads, op.head_dim = static_cast<int>(dim);
    op.causal = lengths.causal;
    op.q_offsets = lengths.q_offsets.data();
    op.k_offsets = lengths.k_offsets.data();
    op.k_counts = lengths.k_counts.data();
    op.q = q.data(), op.k = kv.data(), op.v = kv.data() + width;
    op.q_stride = q_stride, op.kv_stride = kv_stride;
    op.q_bias = bias.data(), op.k_bias = op.q_bias + width;
    op.v_bias = op.k_bias + width;
    op.p = p.data(), op.p_offsets = p_offsets.data(), op.out = out.data();
  }

  void Work(int64_t begin, int64_t end) {
    op.Forward(begin, end);
    op.Backward(begin, end, dout.data(), dq.data(), dkv.data(),
                dkv.data() + kHeads * op.head_dim);
  }

  int64_t texts() const {
    return static_cast<int64_t>(lengths.k_counts.size());
  }

  AttentionIn In() const {
    const int64_t width = kHeads * op.head_dim;
    const Doubles biases = All(bias);
    return {lengths,
            op.head_dim,
            Columns(q, q_stride, 0, width),
            Columns(kv, kv_stride, 0, width),
            Columns(kv, kv_stride, width, width),
            {biases.begin(), biases.begin() + width},
            {biases.begin() + width, biases.begin() + 2 * width},
            {biases.begin() + 2 * width, biases.end()}};
  }

  Lengths lengths;
  int64_t q_stride, kv_stride;
  std::vector<T> q, kv, bias, dout, out, dq, dkv;
  std::vector<float> p;
  std::vector<int64_t> p_offsets;
  Attention<T> op;
};

TYPED_TEST(AttentionTest, OutputProbabilitiesAndGradientsAreRight) {
  constexpr double kNear = kTolerance<TypeParam>;
  for (const Lengths& lengths :
       {kCausal, kCross, kPadded, kLong, kPaddedCausal}) {
    for (const int64_t dim : {3, 32}) {
      Run<TypeParam> run(lengths, dim);
      const auto dq_before = run.dq, dkv_before = run.dkv;
      run.Work(0, run.texts());
      const AttentionIn in = run.In();
      const auto [out, p] = Attended(in);
      ExpectNear(All(run.out), out, kNear);
      ExpectNear(All(run.p), p, 1e-5);
      const Doubles dout = All(run.dout);
      const auto loss = [&](const AttentionIn& at) {
        return Dot(Attended(at).first, dout);
      };
      const int64_t width = in.width();
      ExpectNear(Columns(run.dq, run.q_stride, 0, width),
                 Slope(in, &AttentionIn::q, loss), kNear);
      ExpectNear(Columns(run.dkv, run.kv_stride, 0, width),
                 Slope(in, &AttentionIn::k, loss), kNear);
      ExpectNear(Columns(run.dkv, run.kv_stride, width, width),
                 Slope(in, &AttentionIn::v, loss), kNear);
      // What lies between rows is somebody else's.
      EXPECT_EQ(Columns(run.dq, run.q_stride, width, 3),
                Columns(dq_before, run.q_stride, width, 3));
      EXPECT_EQ(Columns(run.dkv, run.kv_stride, 2 * width, 1),
                Columns(dkv_before, run.kv_stride, 2 * width, 1));
    }
  }
}

TYPED_TEST(AttentionTest, WithoutCountsAllKeysCount) {
  Run<TypeParam> one(kCross, 9), two(kCross, 9);
  two.op.k_counts = nullptr;
  one.Work(0, one.texts());
  two.Work(0, two.texts());
  ExpectSame(two.out, one.out);
  ExpectSame(two.dkv, one.dkv);
}

TYPED_TEST(AttentionTest, RangesMayRunSideBySide) {
  Run<TypeParam> one(kPadded, 17), two(kPadded, 17);
  one.Work(0, 3);
  std::thread other([&] { two.Work(0, 1); });
  two.Work(1, 3);
  other.join();
  ExpectSame(two.out, one.out);
  ExpectSame(two.p, one.p);
  ExpectSame(two.dq, one.dq);
  ExpectSame(two.dkv, one.dkv);
}

TYPED_TEST(AttentionTest, TakesTheLongestTextsAndTheWidestHeads) {
  constexpr int kMost = Attention<TypeParam>::kMaxLength;
  Run<TypeParam> run({{0, kMost}, {0, kMost}, {kMost}, true}, 128);
  // Queries that ask for nothing get the mean of what they see.
  std::fill(run.q.begin(), run.q.end(), TypeParam{});
  std::fill(run.bias.begin(), run.bias.end(), TypeParam{});
  run.Work(0, 1);
  const AttentionIn in = run.In();
  const int64_t width = in.width();
  Doubles mean(width);
  for (size_t i = 0; i < in.v.size(); ++i) mean[i % width] += in.v[i] / kMost;
  const Doubles out = All(run.out);
  ExpectNear({out.end() - width, out.end()}, mean, kTolerance<TypeParam>);
  // Nor does it matter what keys they are shown.
  const Doubles dk = Columns(run.dkv, run.kv_stride, 0, width);
  EXPECT_EQ(dk, Doubles(dk.size()));
}

TYPED_TEST(AttentionTest, GreatScoresStayNumbers) {
  Run<TypeParam> run(kCross, 3);
  std::vector<TypeParam> great;
  Round(std::vector<float>(run.q.size(), 1e4f), &great);
  std::copy(great.begin(), great.end(), run.q.begin());
  run.Work(0, run.texts());
  for (const double value : All(run.out)) EXPECT_TRUE(std::isfinite(value));
  for (const double value : All(run.dkv)) EXPECT_TRUE(std::isfinite(value));
}

}  // namespace
}  // namespace quaver::fused
