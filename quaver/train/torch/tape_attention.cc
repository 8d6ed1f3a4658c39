// Attention on the tape; see tape.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "quaver/train/torch/tape_parts.h"

namespace quaver {
namespace {

// Where texts lie in a padded matrix: row numbers [texts, longest] and whether
// they are any.
struct Padded {
  at::Tensor index;
  at::Tensor valid;  // counted rows only
  at::Tensor flat;   // places of all rows in the padded matrix
};

Padded Pad(const Rows& rows, at::Device device) {
  const auto* offsets = Data<int32_t>(rows.offsets);
  const auto* counts = Data<int32_t>(rows.counts);
  const int64_t texts = rows.texts();
  int64_t longest = 0;
  for (int64_t s = 0; s < texts; ++s) {
    longest = std::max<int64_t>(longest, offsets[s + 1] - offsets[s]);
  }
  at::Tensor index = at::zeros({texts, longest}, at::kLong);
  at::Tensor valid = at::zeros({texts, longest}, at::kBool);
  at::Tensor flat = at::zeros({rows.rows()}, at::kLong);
  for (int64_t s = 0; s < texts; ++s) {
    const int64_t length = offsets[s + 1] - offsets[s];
    for (int64_t i = 0; i < length; ++i) {
      const int64_t place = s * longest + i;
      Data<int64_t>(index)[place] = offsets[s] + i;
      Data<bool>(valid)[place] = counts == nullptr || i < counts[s];
      Data<int64_t>(flat)[offsets[s] + i] = place;
    }
  }
  return {index.to(device), valid.to(device), flat.to(device)};
}

// Attention as libtorch would be asked for it.
at::Tensor PaddedAttention(const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v, const Rows& rows,
                           const Rows& others, int64_t heads, bool causal) {
  const Padded queries = Pad(rows, q.device()), keys = Pad(others, q.device());
  const int64_t width = q.size(1), dim = width / heads;
  const auto spread = [&](const at::Tensor& x, const Padded& padded) {
    return x.index_select(0, padded.index.reshape({-1}))
        .view({padded.index.size(0), padded.index.size(1), heads, dim})
        .transpose(1, 2);
  };
  at::Tensor scores = at::matmul(spread(q, queries) / std::sqrt(dim),
                                 spread(k, keys).transpose(2, 3));
  at::Tensor hidden = keys.valid.logical_not().unsqueeze(1).unsqueeze(1);
  if (causal) {
    const auto ones =
        at::ones({scores.size(2), scores.size(3)}, hidden.options());
    hidden = hidden.logical_or(ones.triu(1));
  }
  scores = scores.to(at::kFloat).masked_fill(hidden, -INFINITY);
  const at::Tensor context =
      at::matmul(at::softmax(scores, 3).to(q.scalar_type()), spread(v, keys));
  return context.transpose(1, 2)
      .reshape({-1, width})
      .index_select(0, queries.flat);
}

}  // namespace

Ref Tape::SelfAttention(const Ref& qkv, const Weight& bias, const Rows& rows,
                        int64_t heads, bool causal) {
  return Attend(qkv, qkv, true, bias, bias, rows, rows, heads, causal);
}

Ref Tape::CrossAttention(const Ref& q, const Weight& q_bias, const Ref& kv,
                         const Weight& kv_bias, const Rows& rows,
                         const Rows& others, int64_t heads) {
  return Attend(q, kv, false, q_bias, kv_bias, rows, others, heads, false);
}

Ref Tape::Attend(const Ref& q, const Ref& kv, bool self, const Weight& q_bias,
                 const Weight& kv_bias, const Rows& rows, const Rows& others,
                 int64_t heads, bool causal) {
  const int64_t width = self ? q->value.size(1) / 3 : q->value.size(1);
  if (!Fused(q->value)) {
    const auto attend = [=](const at::Tensor& queries, const at::Tensor& k,
                            const at::Tensor& v) {
      return PaddedAttention(queries, k, v, rows, others, heads, causal);
    };
    if (self) {
      return Composite({q}, {q_bias}, [=](const auto& leaves) {
        const auto parts = (leaves[0] + leaves[1]).split(width, 1);
        return attend(parts[0], parts[1], parts[2]);
      });
    }
    return Composite({q, kv}, {q_bias, kv_bias}, [=](const auto& leaves) {
      const auto parts = (leaves[1] + leaves[3]).split(width, 1);
      return attend(leaves[0] + leaves[2], parts[0], parts[1]);
    });
  }
  const int64_t texts = rows.texts();
  std::vector<int64_t> places(texts + 1, 0);  // of probabilities
  const auto* q_offsets = Data<int32_t>(rows.offsets);
  const auto* k_offsets = Data<int32_t>(others.offsets);
  for (int64_t s = 0; s < texts; ++s) {
    const int64_t nq = q_offsets[s + 1] - q_offsets[s];
    const int64_t nk = k_offsets[s + 1] - k_offsets[s];
    QUAVER_CHECK(std::max(nq, nk) <= Attention<float>::kMaxLength);
    places[s + 1] = places[s] + heads * nq * Attention<float>::RowStride(nk);
  }
  const at::Tensor kept =
      at::empty({places.back()}, q->value.options().dtype(at::kFloat));
  const Ref out =
      MakeNode(at::empty({q->value.size(0), width}, q->value.options()));
  const auto run = [=](auto type, const auto& use) {
    using T = decltype(type);
    Attention<T> op;
    op.heads = static_cast<int>(heads);
    op.head_dim = static_cast<int>(width / heads);
    op.causal = causal;
    op.q_offsets = q_offsets;
    op.k_offsets = k_offsets;
    op.k_counts = Data<int32_t>(others.counts);
    op.q = Data<T>(q->value);
    op.k = Data<T>(kv->value) + (self ? width : 0);
    op.v = op.k + width;
    op.q_stride = q->value.size(1);
    op.kv_stride = kv->value.size(1);
    op.q_bias = Data<T>(q_bias.value);
    op.k_bias = Data<T>(kv_bias.value) + (self ? width : 0);
    op.v_bias = op.k_bias + width;
    op.p = Data<float>(kept);
    op.p_offsets = places.data();
    op.out = Data<T>(out->value);
    use(op);
  };
  ForType(q->value.scalar_type(), [&](auto type) {
    run(type, [&](const auto& op) {
      at::parallel_for(0, texts, 4, [&](int64_t begin, int64_t end) {
        op.Forward(begin, end);
      });
    });
  });
  if (!remembers()) return out;
  Uses(q_bias);
  if (!self) Uses(kv_bias);
  // `rows` and `others` keep the offsets alive.
  Push([this, run, q, kv, q_bias, kv_bias, self, rows, others, out, kept, texts,
        width] {
    const at::Tensor dq = at::empty_like(q->value);
    const at::Tensor dkv = self ? dq : at::empty_like(kv->value);
    ForType(dq.scalar_type(), [&](auto type) {
      using T = decltype(type);
      T* dk = Data<T>(dkv) + (self ? width : 0);
      run(type, [&](const auto& op) {
        at::parallel_for(0, texts, 4, [&](int64_t begin, int64_t end) {
          op.Backward(begin, end, Data<T>(out->gradient), Data<T>(dq), dk,
                      dk + width);
        });
      });
    });
    AddColumns(q_bias, dq);
    Done(q_bias);
    AddGradient(q, dq);
    if (self) return;
    AddColumns(kv_bias, dkv);
    Done(kv_bias);
    AddGradient(kv, dkv);
  });
  return out;
}

}  // namespace quaver
