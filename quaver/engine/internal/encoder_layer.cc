// See encoder_layer.h.
#include "quaver/engine/internal/encoder_layer.h"

#include <algorithm>

namespace quaver {
namespace {

// Multiply-adds, and what packing keys and values costs beside.
size_t AttentionWork(const EncoderPass& pass) {
  constexpr size_t kPacking = 32;
  size_t work = 0;
  for (size_t b = 0; b + 1 < pass.offsets.size(); ++b) {
    const size_t T = pass.offsets[b + 1] - pass.offsets[b];
    work += 2 * T * (T + kPacking) * pass.D;
  }
  return 4 * work;  // in fp32: a quarter as many at a time as in bytes
}

// Heads of all sequences are numbered one sequence after the other.
void Attend(const EncoderPass& pass) {
  const size_t H = pass.H, D = pass.D;
  const size_t B = pass.offsets.size() - 1;
  const uint32_t first = pass.offsets.front();
  pass.Share(B * H, 1, AttentionWork(pass),
             [&](size_t begin, size_t end, float* scratch) {
               for (size_t head = begin; head < end;) {
                 const size_t b = head / H;
                 const size_t last = std::min(end, (b + 1) * H);
                 const size_t row = pass.offsets[b] - first;
                 const size_t T = pass.offsets[b + 1] - pass.offsets[b];
                 pass.kernels.dense.attention(
                     pass.buffers.wide + row * 3 * D, T, H, D, head - b * H,
                     last - b * H, scratch, pass.buffers.context + row * D);
                 head = last;
               }
             });
}

}  // namespace

void EncoderLayerViews::Choose(const Precisions& precisions,
                               const std::string& name) {
  qkv.Choose(precisions, name + ".qkv");
  attention_output.Choose(precisions, name + ".attention_output");
  up.Choose(precisions, name + ".up");
  down.Choose(precisions, name + ".down");
}

size_t EncoderLayerViews::Measure(const Kernels& kernels) const {
  size_t floats = 2 * Packer::MeasureNorm(attention_output.N);
  for (const LinearViews* linear : {&qkv, &attention_output, &up, &down}) {
    floats += Packer::MeasureLinear(kernels, *linear);
  }
  return floats;
}

EncoderLayer EncoderLayerViews::Pack(Packer& packer) const {
  return {packer.PackLinear(qkv),          packer.PackLinear(attention_output),
          packer.CopyNorm(attention_norm), packer.PackLinear(up),
          packer.PackLinear(down),         packer.CopyNorm(output_norm)};
}

void FeedForward(const LayerPass& pass, const EncoderLayer& layer,
                 const Linear* next) {
  pass.ApplyPrepared(layer.up, pass.buffers.hidden, Epilogue::kBiasGelu,
                     pass.buffers.wide);
  pass.AddAndNormalise(layer.down, pass.buffers.wide, layer.output_norm, next);
}

void RunEncoderLayers(const EncoderPass& pass, const Norm& embedding_norm,
                      std::span<const EncoderLayer> layers) {
  const auto qkv_of = [&](size_t layer) {
    return layer < layers.size() ? &layers[layer].qkv : nullptr;
  };
  pass.Normalise(embedding_norm, qkv_of(0));
  for (size_t i = 0; i < layers.size(); ++i) {
    const EncoderLayer& layer = layers[i];
    pass.ApplyPrepared(layer.qkv, pass.buffers.hidden, Epilogue::kBias,
                       pass.buffers.wide);
    Attend(pass);
    pass.AddAndNormalise(layer.attention_output, pass.buffers.context,
                         layer.attention_norm, &layer.up);
    FeedForward(pass, layer, qkv_of(i + 1));
  }
}

}  // namespace quaver
