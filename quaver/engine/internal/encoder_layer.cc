// See encoder_layer.h.
#include "quaver/engine/internal/encoder_layer.h"

#include <cstring>

namespace quaver {
namespace {

void Attend(const EncoderPass& pass) {
  const LayerBuffers& buffers = pass.buffers;
  const uint32_t first = pass.offsets.front();
  for (size_t b = 0; b + 1 < pass.offsets.size(); ++b) {
    const size_t begin = pass.offsets[b] - first;
    const size_t T = pass.offsets[b + 1] - pass.offsets[b];
    pass.kernels.dense.attention(buffers.wide + begin * 3 * pass.D, T, pass.H,
                                 pass.D, buffers.scratch,
                                 buffers.context + begin * pass.D);
  }
}

}  // namespace

LayerBuffers::LayerBuffers(size_t M, size_t D, size_t inner,
                           size_t scratch_floats)
    : arena(0) {
  constexpr size_t kFloat = sizeof(float);
  const size_t code_floats = (M + kInt8SpareRows) * Int8Stride(inner) / kFloat;
  const size_t row_floats = M * sizeof(Int8Row) / kFloat;
  const size_t sizes[] = {M * D,          M * D,       M * inner,
                          scratch_floats, code_floats, row_floats};
  size_t all = 0;
  for (const size_t size : sizes) all += FloatArena::Rounded(size);
  arena = FloatArena(all);
  hidden = arena.Take(sizes[0]);
  context = arena.Take(sizes[1]);
  wide = arena.Take(sizes[2]);
  scratch = arena.Take(sizes[3]);
  codes = reinterpret_cast<uint8_t*>(arena.Take(sizes[4]));
  rows = reinterpret_cast<Int8Row*>(arena.Take(sizes[5]));
  // `gemm` may read, and not use, rows that nothing was written to.
  std::memset(codes, 0, code_floats * kFloat);
}

void EncoderLayerViews::Choose(const Precisions& precisions,
                               const std::string& name) {
  qkv.precision = precisions.Of(name + ".qkv");
  attention_output.precision = precisions.Of(name + ".attention_output");
  up.precision = precisions.Of(name + ".up");
  down.precision = precisions.Of(name + ".down");
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

void RunLayer(const EncoderPass& pass, const EncoderLayer& layer) {
  pass.Apply(layer.qkv, pass.buffers.hidden, Epilogue::kBias, nullptr,
             pass.buffers.wide);
  Attend(pass);
  pass.AddAndNormalise(layer.attention_output, pass.buffers.context,
                       layer.attention_norm);
  pass.FeedForward(layer);
}

}  // namespace quaver
