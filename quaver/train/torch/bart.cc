// See bart.h.
#include "quaver/train/torch/bart.h"

#include <cmath>

#include "quaver/train/fused.h"

namespace quaver {
namespace {

at::Tensor Copy(const std::vector<int32_t>& values) {
  return at::tensor(at::ArrayRef<int32_t>(values),
                    at::TensorOptions().dtype(at::kInt));
}

// With a text of padding behind, all of it at the first position.
Rows ToRows(PackedTexts texts, int32_t pad, at::Device device) {
  const auto rows_before = static_cast<int64_t>(texts.ids.size());
  std::vector<int32_t> positions;
  positions.reserve(texts.ids.size());
  for (size_t s = 0; s < texts.texts(); ++s) {
    for (int32_t i = texts.offsets[s]; i < texts.offsets[s + 1]; ++i) {
      positions.push_back(i - texts.offsets[s]);
    }
  }
  const int64_t filler = kRowMultiple - rows_before % kRowMultiple;
  texts.Add(std::vector<int32_t>(filler, pad));
  if (!texts.counts.empty()) {
    texts.counts.push_back(static_cast<int32_t>(filler));
  }
  positions.resize(texts.ids.size(), 0);
  Rows rows;
  rows.offsets = Copy(texts.offsets);
  if (!texts.counts.empty()) rows.counts = Copy(texts.counts);
  rows.ids = Copy(texts.ids).to(device, at::kLong);
  rows.positions = Copy(positions).to(device, at::kLong);
  return rows;
}

// One stack, encoder or decoder; names its weights.
struct Stack {
  const Parameters& parameters;
  std::string name;
  Tape& tape;

  const Weight& Get(const std::string& rest) const {
    return parameters.Get(name + "." + rest);
  }
  Weight Joined(const std::string& rest, int count) const {
    return parameters.Joined(name + "." + rest, count);
  }

  Ref Embed(const Rows& rows) const {
    const double scale =
        parameters.shape().scale_embedding
            ? std::sqrt(static_cast<double>(parameters.shape().width))
            : 1;
    return tape.Embed(rows, parameters.Get("shared.weight"),
                      Get("embed_positions.weight"),
                      Get("layernorm_embedding.weight"),
                      Get("layernorm_embedding.bias"), scale);
  }

  Ref Normalise(const Ref& y, const std::string& bias, const Ref& residual,
                const std::string& norm) const {
    return tape.AddNormalise(y, Get(bias), residual, Get(norm + ".weight"),
                             Get(norm + ".bias"));
  }

  Ref SelfAttention(const std::string& layer, const Ref& x, const Rows& rows,
                    int64_t heads, bool causal) const {
    const std::string part = layer + "self_attn";
    const Ref qkv = tape.Product(x, Joined(part + ".q_proj.weight", 3));
    const Ref context = tape.SelfAttention(
        qkv, Joined(part + ".q_proj.bias", 3), rows, heads, causal);
    const Ref y = tape.Product(context, Get(part + ".out_proj.weight"));
    return Normalise(y, part + ".out_proj.bias", x, part + "_layer_norm");
  }

  Ref CrossAttention(const std::string& layer, const Ref& x, const Rows& rows,
                     const Ref& encoded, const Rows& source,
                     int64_t heads) const {
    const std::string part = layer + "encoder_attn";
    const Ref q = tape.Product(x, Get(part + ".q_proj.weight"));
    const Ref kv = tape.Product(encoded, Joined(part + ".k_proj.weight", 2));
    const Ref context = tape.CrossAttention(q, Get(part + ".q_proj.bias"), kv,
                                            Joined(part + ".k_proj.bias", 2),
                                            rows, source, heads);
    const Ref y = tape.Product(context, Get(part + ".out_proj.weight"));
    return Normalise(y, part + ".out_proj.bias", x, part + "_layer_norm");
  }

  Ref FeedForward(const std::string& layer, const Ref& x) const {
    const Ref h = tape.Gelu(tape.Product(x, Get(layer + "fc1.weight")),
                            Get(layer + "fc1.bias"));
    const Ref y = tape.Product(h, Get(layer + "fc2.weight"));
    return Normalise(y, layer + "fc2.bias", x, layer + "final_layer_norm");
  }
};

}  // namespace

BatchTensors ToTensors(const Batch& batch, int32_t pad, at::Device device) {
  BatchTensors tensors = {
      ToRows(batch.source, pad, device), ToRows(batch.target, pad, device), {}};
  std::vector<int32_t> labels = batch.labels;
  labels.resize(tensors.target.rows(), kNoLabel);
  tensors.labels = Copy(labels);
  return tensors;
}

Ref Encode(const Parameters& parameters, const Rows& source, Tape& tape) {
  const BartShape& shape = parameters.shape();
  const Stack stack = {parameters, "encoder", tape};
  Ref x = stack.Embed(source);
  for (int64_t i = 0; i < shape.encoder_layers; ++i) {
    const std::string layer = fmt::format("layers.{}.", i);
    x = stack.SelfAttention(layer, x, source, shape.encoder_heads, false);
    x = stack.FeedForward(layer, x);
  }
  return x;
}

Ref Decode(const Parameters& parameters, const Ref& encoded, const Rows& source,
           const Rows& target, Tape& tape) {
  const BartShape& shape = parameters.shape();
  const Stack stack = {parameters, "decoder", tape};
  Ref x = stack.Embed(target);
  for (int64_t i = 0; i < shape.decoder_layers; ++i) {
    const std::string layer = fmt::format("layers.{}.", i);
    x = stack.SelfAttention(layer, x, target, shape.decoder_heads, true);
    x = stack.CrossAttention(layer, x, target, encoded, source,
                             shape.decoder_heads);
    x = stack.FeedForward(layer, x);
  }
  return x;
}

}  // namespace quaver
