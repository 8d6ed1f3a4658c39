// See encoder_layer.h.
#include "quaver/engine/internal/encoder_layer.h"

namespace quaver {
namespace {

void Attend(const EncoderPass& pass) {
  const uint32_t first = pass.offsets.front();
  for (size_t b = 0; b + 1 < pass.offsets.size(); ++b) {
    const size_t begin = pass.offsets[b] - first;
    const size_t T = pass.offsets[b + 1] - pass.offsets[b];
    pass.dense.attention(pass.wide + begin * 3 * pass.D, T, pass.H, pass.D,
                         pass.scratch, pass.context + begin * pass.D);
  }
}

}  // namespace

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

void RunLayer(const EncoderPass& pass, const EncoderLayer& layer) {
  pass.Apply(layer.qkv, pass.hidden, Epilogue::kBias, nullptr, pass.wide);
  Attend(pass);
  pass.AddAndNormalise(layer.attention_output, pass.context,
                       layer.attention_norm);
  pass.FeedForward(layer);
}

}  // namespace quaver
