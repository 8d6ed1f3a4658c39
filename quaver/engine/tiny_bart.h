// For tests: writes small BART folders with random weights.
//
//   TinyBart tiny;
//   tiny.config["scale_embedding"] = true;
//   tiny.WriteTo(folder);
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/artifact/artifact.h"
#include "quaver/base/check.h"
#include "quaver/base/file.h"
#include "quaver/base/hash.h"

namespace quaver {

struct TinyBart {
  using Json = nlohmann::json;
  using Shape = std::vector<int64_t>;
  static constexpr int kVocabulary = 60, kWidth = 32, kInner = 48, kHeads = 2,
                       kDecoderHeads = 4, kEncoderLayers = 2,
                       kDecoderLayers = 2, kPositions = 24;

  Json config = {{"model_type", "bart"},
                 {"architectures", {"BartForConditionalGeneration"}},
                 {"activation_function", "gelu"},
                 {"vocab_size", kVocabulary},
                 {"d_model", kWidth},
                 {"encoder_layers", kEncoderLayers},
                 {"decoder_layers", kDecoderLayers},
                 {"encoder_attention_heads", kHeads},
                 {"decoder_attention_heads", kDecoderHeads},
                 {"encoder_ffn_dim", kInner},
                 {"decoder_ffn_dim", kInner + 8},
                 {"max_position_embeddings", kPositions},
                 {"scale_embedding", false},
                 {"bos_token_id", 0},
                 {"pad_token_id", 1},
                 {"eos_token_id", 2},
                 {"decoder_start_token_id", 2},
                 {"forced_bos_token_id", nullptr},
                 {"forced_eos_token_id", nullptr}};
  Json generation;  // generation_config.json, not written when null
  uint64_t seed = 1;
  std::map<std::string, Shape> shapes = DefaultShapes();

  static std::map<std::string, Shape> DefaultShapes() {
    std::map<std::string, Shape> shapes = {
        {"final_logits_bias", {1, kVocabulary}},
        {"model.shared.weight", {kVocabulary, kWidth}}};
    const auto add = [&](const std::string& name, Shape weight) {
      shapes[name + ".bias"] = {weight[0]};
      shapes[name + ".weight"] = std::move(weight);
    };
    const auto add_attention = [&](const std::string& name) {
      for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
        add(name + "." + part, {kWidth, kWidth});
      }
      add(name + "_layer_norm", {kWidth});
    };
    const auto add_side = [&](const std::string& side, int layers, int inner,
                              bool cross) {
      const std::string prefix = "model." + side + ".";
      shapes[prefix + "embed_positions.weight"] = {kPositions + 2, kWidth};
      add(prefix + "layernorm_embedding", {kWidth});
      for (int i = 0; i < layers; ++i) {
        const std::string layer = prefix + "layers." + std::to_string(i) + ".";
        add_attention(layer + "self_attn");
        if (cross) add_attention(layer + "encoder_attn");
        add(layer + "fc1", {inner, kWidth});
        add(layer + "fc2", {kWidth, inner});
        add(layer + "final_layer_norm", {kWidth});
      }
    };
    add_side("encoder", kEncoderLayers, kInner, false);
    add_side("decoder", kDecoderLayers, kInner + 8, true);
    return shapes;
  }

  // A quarter of what a counter's hash gives, from -1/4 to 1/4 in steps of
  // 2^-18; norms' weights are 1 more. Exact in fp32, the same everywhere.
  std::vector<float> Values(const std::string& name, size_t count) const {
    const bool gain =
        name.find("norm") != std::string::npos && name.ends_with(".weight");
    const uint64_t stream = Hash64(name) ^ seed;
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) {
      const auto drawn =
          static_cast<int64_t>(Mix64(stream + i) >> 47) - (int64_t{1} << 16);
      values[i] = static_cast<float>(drawn) * 0x1.0p-18f + (gain ? 1.0f : 0.0f);
    }
    return values;
  }

  void WriteTo(const std::string& folder) const {
    Must(MakeFolders(folder));
    Must(WriteFileAtomically(folder + "/config.json", config.dump()));
    if (!generation.is_null()) {
      Must(WriteFileAtomically(folder + "/generation_config.json",
                               generation.dump()));
    }
    ArtifactWriter writer = ArtifactWriter::Plain();
    for (const auto& [name, shape] : shapes) {
      size_t count = 1;
      for (const int64_t size : shape) count *= static_cast<size_t>(size);
      writer.Add<float>(name, shape, Values(name, count));
    }
    Must(writer.WriteTo(folder + "/model.safetensors"));
  }

  static void Must(const absl::Status& status) { QUAVER_CHECK(status.ok()); }
};

}  // namespace quaver
