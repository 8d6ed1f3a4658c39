// For tests: writes small BERT folders with random weights.
//
//   TinyBert tiny;
//   tiny.config["hidden_act"] = "relu";
//   tiny.WriteTo(folder);
#pragma once

#include <bit>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/artifact/artifact.h"
#include "quaver/base/check.h"
#include "quaver/base/file.h"
#include "quaver/base/hash.h"

namespace quaver {

struct TinyBert {
  using Json = nlohmann::json;
  using Shape = std::vector<int64_t>;
  static constexpr int kVocabulary = 50, kWidth = 24, kInner = 40, kHeads = 3,
                       kLayers = 2, kPositions = 40, kTypes = 2;

  Json config = {
      {"model_type", "bert"},         {"hidden_act", "gelu"},
      {"vocab_size", kVocabulary},    {"hidden_size", kWidth},
      {"intermediate_size", kInner},  {"num_attention_heads", kHeads},
      {"num_hidden_layers", kLayers}, {"max_position_embeddings", kPositions},
      {"type_vocab_size", kTypes},    {"layer_norm_eps", 1e-12}};
  // Files that are null are not written.
  Json modules;   // modules.json
  Json pooling;   // 1_Pooling/config.json
  Json sentence;  // sentence_bert_config.json
  std::string prefix;
  DataType type = DataType::kF32;  // or kBF16
  bool sharded = false;
  std::map<std::string, Shape> shapes = DefaultShapes();

  // The sentence-transformers wrapper with this pooling field set.
  void Wrap(const std::string& pooling_mode, bool normalize) {
    modules = Json::array();
    AddModule("Transformer", "");
    AddModule("Pooling", "1_Pooling");
    if (normalize) AddModule("Normalize", "2_Normalize");
    pooling = {{"word_embedding_dimension", kWidth},
               {"pooling_mode_cls_token", false},
               {"pooling_mode_mean_tokens", false},
               {"pooling_mode_max_tokens", false}};
    pooling[pooling_mode] = true;
  }
  void AddModule(const std::string& kind, const std::string& path) {
    modules.push_back({{"idx", modules.size()},
                       {"name", std::to_string(modules.size())},
                       {"path", path},
                       {"type", "sentence_transformers.models." + kind}});
  }

  static std::map<std::string, Shape> DefaultShapes() {
    std::map<std::string, Shape> shapes = {
        {"embeddings.word_embeddings.weight", {kVocabulary, kWidth}},
        {"embeddings.position_embeddings.weight", {kPositions, kWidth}},
        {"embeddings.token_type_embeddings.weight", {kTypes, kWidth}}};
    const auto add = [&](const std::string& name, Shape weight) {
      shapes[name + ".bias"] = {weight[0]};
      shapes[name + ".weight"] = std::move(weight);
    };
    add("embeddings.LayerNorm", {kWidth});
    for (int i = 0; i < kLayers; ++i) {
      const std::string layer = "encoder.layer." + std::to_string(i) + ".";
      for (const char* part : {"query", "key", "value"}) {
        add(layer + "attention.self." + part, {kWidth, kWidth});
      }
      add(layer + "attention.output.dense", {kWidth, kWidth});
      add(layer + "attention.output.LayerNorm", {kWidth});
      add(layer + "intermediate.dense", {kInner, kWidth});
      add(layer + "output.dense", {kWidth, kInner});
      add(layer + "output.LayerNorm", {kWidth});
    }
    return shapes;
  }

  // Standard normal, but exact in bfloat16, whatever the type on disk.
  static std::vector<float> Values(const std::string& name, size_t count) {
    Random random(Hash64(name));
    std::vector<float> values(count);
    for (float& value : values) {
      value = std::bit_cast<float>(
          std::bit_cast<uint32_t>(static_cast<float>(random.Normal())) &
          0xFFFF0000u);
    }
    return values;
  }

  void AddTensor(const std::string& name, const Shape& shape,
                 ArtifactWriter* writer) const {
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    const std::vector<float> values = Values(name, count);
    if (type == DataType::kF32) {
      writer->Add<float>(prefix + name, shape, values);
      return;
    }
    std::vector<uint16_t> halves;
    for (const float value : values) {
      halves.push_back(
          static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16));
    }
    writer->Add(prefix + name, DataType::kBF16, shape,
                std::as_bytes(std::span(halves)));
  }

  void WriteTo(const std::string& folder) const {
    Must(MakeFolders(folder + "/1_Pooling"));
    WriteJson(folder + "/config.json", config);
    WriteJson(folder + "/modules.json", modules);
    WriteJson(folder + "/1_Pooling/config.json", pooling);
    WriteJson(folder + "/sentence_bert_config.json", sentence);
    ArtifactWriter first("pt", 1);
    ArtifactWriter second("pt", 1);
    Json weight_map;
    for (const auto& [name, shape] : shapes) {
      const bool in_second = sharded && weight_map.size() % 2 == 1;
      AddTensor(name, shape, in_second ? &second : &first);
      weight_map[prefix + name] = in_second ? "b.safetensors" : "a.safetensors";
    }
    if (!sharded) return Must(first.WriteTo(folder + "/model.safetensors"));
    Must(first.WriteTo(folder + "/a.safetensors"));
    Must(second.WriteTo(folder + "/b.safetensors"));
    WriteJson(folder + "/model.safetensors.index.json",
              {{"weight_map", weight_map}});
  }

  static void WriteJson(const std::string& path, const Json& content) {
    if (!content.is_null()) Must(WriteFileAtomically(path, content.dump()));
  }
  static void Must(const absl::Status& status) { QUAVER_CHECK(status.ok()); }
};

// An absent folder's name, another for each test.
inline std::string TestFolder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  std::string unique = std::string(test->test_suite_name()) + test->name();
  for (char& c : unique) c = c == '/' ? '_' : c;
  std::string folder = testing::TempDir() + "/quaver_bert_" + unique;
  std::filesystem::remove_all(folder);
  return folder;
}

}  // namespace quaver
