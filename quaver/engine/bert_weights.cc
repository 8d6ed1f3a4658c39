// Finds a BERT's tensors, checks them against its configuration, packs them.
#include "quaver/engine/internal/bert_weights.h"

#include <bit>
#include <cstring>
#include <initializer_list>
#include <utility>

#include <fmt/ranges.h>

#include "quaver/engine/internal/bert_folder.h"

namespace quaver {
namespace {

// IEEE half to single. Subnormal halves are normal singles, so their value is
// computed rather than shifted.
float FromHalf(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  const uint32_t exponent = (half >> 10) & 0x1F;
  const uint32_t fraction = half & 0x3FF;
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1.0p-24f;
    return sign != 0 ? -value : value;
  }
  const uint32_t widened = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | fraction << 13);
}

float FromBfloat16(uint16_t value) {
  return std::bit_cast<float>(uint32_t{value} << 16);
}

std::vector<float> ToFloats(const TensorView& view) {
  std::vector<float> floats(static_cast<size_t>(view.num_elements()));
  if (view.type == DataType::kF32) {
    std::memcpy(floats.data(), view.bytes.data(), view.bytes.size());
    return floats;
  }
  const std::byte* from = view.bytes.data();
  for (float& value : floats) {
    uint16_t bits = 0;
    std::memcpy(&bits, from, sizeof(bits));
    from += sizeof(bits);
    value = view.type == DataType::kF16 ? FromHalf(bits) : FromBfloat16(bits);
  }
  return floats;
}

// A product's tensors; those of several are stacked: query, key, value.
struct LinearViews {
  std::vector<TensorView> weights;  // [N / count, K] each
  std::vector<TensorView> biases;   // [N / count] each
  size_t N = 0;
  size_t K = 0;
};

struct NormViews {
  TensorView weight, bias;  // [D]
};

struct LayerViews {
  LinearViews qkv, attention_output, up, down;
  NormViews attention_norm, output_norm;
};

// Finds tensors by name, with or without BertForX's prefix.
class Finder {
 public:
  Finder(const std::string& folder, const Checkpoint& checkpoint)
      : folder_(folder),
        checkpoint_(checkpoint),
        prefix_(checkpoint.Has("bert.embeddings.word_embeddings.weight")
                    ? "bert."
                    : "") {}

  absl::StatusOr<TensorView> Find(const std::string& name,
                                  const std::vector<int64_t>& shape) const {
    ASSIGN_OR_RETURN(TensorView view, checkpoint_.Find(prefix_ + name));
    if (view.shape != shape) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: tensor \"{}{}\" has shape [{}]; config.json asks for [{}]",
          folder_, prefix_, name, fmt::join(view.shape, ", "),
          fmt::join(shape, ", ")));
    }
    if (view.type != DataType::kF32 && view.type != DataType::kF16 &&
        view.type != DataType::kBF16) {
      return absl::UnimplementedError(
          fmt::format("{}: tensor \"{}{}\" of type {} is not supported",
                      folder_, prefix_, name, Name(view.type)));
    }
    return view;
  }

  absl::StatusOr<NormViews> FindNorm(const std::string& name, int64_t D) const {
    NormViews norm;
    ASSIGN_OR_RETURN(norm.weight, Find(name + ".weight", {D}));
    ASSIGN_OR_RETURN(norm.bias, Find(name + ".bias", {D}));
    return norm;
  }

  // Outputs of each name, and K.
  absl::StatusOr<LinearViews> FindLinear(
      std::initializer_list<std::string> names, int64_t outputs,
      int64_t K) const {
    LinearViews linear;
    for (const std::string& name : names) {
      ASSIGN_OR_RETURN(auto weight, Find(name + ".weight", {outputs, K}));
      ASSIGN_OR_RETURN(auto bias, Find(name + ".bias", {outputs}));
      linear.weights.push_back(std::move(weight));
      linear.biases.push_back(std::move(bias));
    }
    linear.N = names.size() * static_cast<size_t>(outputs);
    linear.K = static_cast<size_t>(K);
    return linear;
  }

 private:
  const std::string& folder_;
  const Checkpoint& checkpoint_;
  std::string prefix_;
};

absl::StatusOr<LayerViews> FindLayer(const Finder& finder,
                                     const BertConfig& config, int layer) {
  const std::string name = fmt::format("encoder.layer.{}.", layer);
  const std::string self = name + "attention.self.";
  const int64_t D = config.hidden_size;
  const int64_t inner = config.intermediate_size;
  LayerViews views;
  ASSIGN_OR_RETURN(
      views.qkv,
      finder.FindLinear({self + "query", self + "key", self + "value"}, D, D));
  ASSIGN_OR_RETURN(views.attention_output,
                   finder.FindLinear({name + "attention.output.dense"}, D, D));
  ASSIGN_OR_RETURN(views.attention_norm,
                   finder.FindNorm(name + "attention.output.LayerNorm", D));
  ASSIGN_OR_RETURN(views.up,
                   finder.FindLinear({name + "intermediate.dense"}, inner, D));
  ASSIGN_OR_RETURN(views.down,
                   finder.FindLinear({name + "output.dense"}, D, inner));
  ASSIGN_OR_RETURN(views.output_norm,
                   finder.FindNorm(name + "output.LayerNorm", D));
  return views;
}

// Copies tensors into the arena; Measure... say beforehand what it takes.
class Packer {
 public:
  Packer(const Kernels& kernels, FloatArena& arena)
      : kernels_(kernels), arena_(arena) {}

  static size_t MeasureLinear(const Kernels& kernels,
                              const LinearViews& views) {
    return FloatArena::Rounded(kernels.dense.packed_size(views.N, views.K)) +
           FloatArena::Rounded(views.N);
  }
  static size_t MeasureLayer(const Kernels& kernels, const LayerViews& views,
                             size_t D) {
    size_t floats = 4 * FloatArena::Rounded(D);
    for (const LinearViews* linear :
         {&views.qkv, &views.attention_output, &views.up, &views.down}) {
      floats += MeasureLinear(kernels, *linear);
    }
    return floats;
  }

  const float* Copy(const std::vector<TensorView>& parts) {
    return Keep(Join(parts));
  }
  Norm CopyNorm(const NormViews& views) {
    return {Copy({views.weight}), Copy({views.bias})};
  }
  Linear PackLinear(const LinearViews& views) {
    float* packed = arena_.Take(kernels_.dense.packed_size(views.N, views.K));
    kernels_.dense.pack(Join(views.weights).data(), views.N, views.K, packed);
    return {packed, Copy(views.biases), views.N, views.K};
  }
  BertLayer PackLayer(const LayerViews& views) {
    return {PackLinear(views.qkv),          PackLinear(views.attention_output),
            CopyNorm(views.attention_norm), PackLinear(views.up),
            PackLinear(views.down),         CopyNorm(views.output_norm)};
  }

 private:
  static std::vector<float> Join(const std::vector<TensorView>& parts) {
    std::vector<float> joined;
    for (const TensorView& part : parts) {
      const std::vector<float> floats = ToFloats(part);
      joined.insert(joined.end(), floats.begin(), floats.end());
    }
    return joined;
  }
  const float* Keep(const std::vector<float>& floats) {
    float* to = arena_.Take(floats.size());
    std::memcpy(to, floats.data(), floats.size() * sizeof(float));
    return to;
  }

  const Kernels& kernels_;
  FloatArena& arena_;
};

// A table in place when the file holds it as aligned fp32, else converted.
absl::StatusOr<const float*> FindTable(const Finder& finder,
                                       const std::string& name, int rows, int D,
                                       BertWeights* weights) {
  ASSIGN_OR_RETURN(const TensorView view,
                   finder.Find("embeddings." + name + ".weight", {rows, D}));
  const auto address = reinterpret_cast<uintptr_t>(view.bytes.data());
  if (view.type == DataType::kF32 && address % alignof(float) == 0) {
    return reinterpret_cast<const float*>(view.bytes.data());
  }
  weights->converted.push_back(ToFloats(view));
  return weights->converted.back().data();
}

absl::Status FindTables(const Finder& finder, BertWeights* weights) {
  const BertConfig& config = weights->config;
  const int D = config.hidden_size;
  ASSIGN_OR_RETURN(weights->words, FindTable(finder, "word_embeddings",
                                             config.vocab_size, D, weights));
  ASSIGN_OR_RETURN(weights->positions,
                   FindTable(finder, "position_embeddings",
                             config.max_positions, D, weights));
  ASSIGN_OR_RETURN(weights->type,
                   FindTable(finder, "token_type_embeddings",
                             config.type_vocab_size, D, weights));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<const BertWeights>> LoadBertWeights(
    const std::string& folder, const Kernels& kernels) {
  auto weights = std::make_unique<BertWeights>();
  ASSIGN_OR_RETURN(const BertFolder found, ReadBertFolder(folder));
  weights->config = found.config;
  weights->kernels = &kernels;
  ASSIGN_OR_RETURN(weights->checkpoint, Checkpoint::Open(found.transformer));
  const Finder finder(found.transformer, *weights->checkpoint);
  RETURN_IF_ERROR(FindTables(finder, weights.get()));
  const auto D = static_cast<size_t>(found.config.hidden_size);
  ASSIGN_OR_RETURN(
      const NormViews embedding_norm,
      finder.FindNorm("embeddings.LayerNorm", found.config.hidden_size));
  size_t floats = 2 * FloatArena::Rounded(D);
  std::vector<LayerViews> layers;
  for (int i = 0; i < found.config.num_layers; ++i) {
    ASSIGN_OR_RETURN(LayerViews views, FindLayer(finder, found.config, i));
    floats += Packer::MeasureLayer(kernels, views, D);
    layers.push_back(std::move(views));
  }
  weights->arena = FloatArena(floats);
  Packer packer(kernels, weights->arena);
  weights->embedding_norm = packer.CopyNorm(embedding_norm);
  for (const LayerViews& views : layers) {
    weights->layers.push_back(packer.PackLayer(views));
  }
  weights->checkpoint->DropPages();
  return std::unique_ptr<const BertWeights>(std::move(weights));
}

}  // namespace quaver
