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

// Post-norm: each half adds to its input, then normalises.
void RunLayer(const EncoderPass& pass, const EncoderLayer& layer) {
  pass.Apply(layer.qkv, pass.hidden, Epilogue::kBias, nullptr, pass.wide);
  Attend(pass);
  pass.Apply(layer.attention_output, pass.context, Epilogue::kBiasResidual,
             pass.hidden, pass.hidden);
  pass.Apply(layer.attention_norm, pass.hidden);
  pass.Apply(layer.up, pass.hidden, Epilogue::kBiasGelu, nullptr, pass.wide);
  pass.Apply(layer.down, pass.wide, Epilogue::kBiasResidual, pass.hidden,
             pass.hidden);
  pass.Apply(layer.output_norm, pass.hidden);
}

}  // namespace quaver
