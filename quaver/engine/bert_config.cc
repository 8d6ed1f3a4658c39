// Reads and checks the configuration files of a BERT folder.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/engine/bert.h"
#include "quaver/engine/internal/bert_folder.h"
#include "quaver/engine/internal/json_file.h"

namespace quaver {
namespace {

using nlohmann::json;

constexpr char kModules[] = "modules.json";

absl::Status ReadShape(const JsonFile& file, BertConfig* config) {
  RETURN_IF_ERROR(file.Require("model_type", "bert", /*may_lack=*/false));
  RETURN_IF_ERROR(file.Require("hidden_act", "gelu", /*may_lack=*/true));
  RETURN_IF_ERROR(
      file.Require("position_embedding_type", "absolute", /*may_lack=*/true));
  RETURN_IF_ERROR(file.Require("is_decoder", false, /*may_lack=*/true));
  ASSIGN_OR_RETURN(config->vocab_size, file.Count("vocab_size"));
  ASSIGN_OR_RETURN(config->hidden_size, file.Count("hidden_size"));
  ASSIGN_OR_RETURN(config->intermediate_size, file.Count("intermediate_size"));
  ASSIGN_OR_RETURN(config->num_heads, file.Count("num_attention_heads"));
  ASSIGN_OR_RETURN(config->num_layers, file.Count("num_hidden_layers"));
  ASSIGN_OR_RETURN(config->max_positions,
                   file.Count("max_position_embeddings"));
  ASSIGN_OR_RETURN(config->type_vocab_size, file.Count("type_vocab_size"));
  if (config->hidden_size % config->num_heads != 0) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: hidden_size {} is not a multiple of num_attention_heads {}",
        file.path, config->hidden_size, config->num_heads));
  }
  if (file.Has("layer_norm_eps")) {
    const json& epsilon = file.content["layer_norm_eps"];
    if (!epsilon.is_number() || !(epsilon >= 0.0) || !(epsilon < 1.0)) {
      return absl::InvalidArgumentError(
          file.path + ": layer_norm_eps is not a number from 0 to 1");
    }
    config->layer_norm_epsilon = epsilon.get<float>();
  }
  return absl::OkStatus();
}

// One entry of modules.json.
struct Module {
  std::string kind;    // last part of the Python type
  std::string folder;  // of the model's, with a slash at its end, or empty
};

absl::StatusOr<std::vector<Module>> ReadModules(const ModelFiles& files) {
  ASSIGN_OR_RETURN(const JsonFile file, ReadJson(files, kModules));
  if (!file.content.is_array() || file.content.empty()) {
    return absl::InvalidArgumentError(file.path + " is not a list of modules");
  }
  std::vector<Module> modules;
  for (const json& entry : file.content) {
    if (!entry.is_object() || !entry.contains("type") ||
        !entry["type"].is_string() || !entry.contains("path") ||
        !entry["path"].is_string()) {
      return absl::InvalidArgumentError(
          file.path + ": a module lacks its type or its path");
    }
    const auto type = entry["type"].get<std::string>();
    const std::filesystem::path path(entry["path"].get<std::string>());
    if (path.is_absolute() ||
        std::find(path.begin(), path.end(), "..") != path.end()) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: path \"{}\" leaves the folder", file.path, path.string()));
    }
    modules.push_back({type.substr(type.rfind('.') + 1),
                       path.empty() ? "" : path.generic_string() + "/"});
  }
  return modules;
}

absl::Status ReadPooling(const ModelFiles& files, const std::string& folder,
                         BertConfig* config) {
  using Pooling = BertConfig::Pooling;
  constexpr std::pair<const char*, Pooling> kModes[] = {
      {"pooling_mode_cls_token", Pooling::kCls},
      {"pooling_mode_mean_tokens", Pooling::kMean},
      {"pooling_mode_max_tokens", Pooling::kMax}};
  ASSIGN_OR_RETURN(const JsonFile file,
                   ReadJsonObject(files, folder + "config.json"));
  std::optional<Pooling> pooling;
  for (const auto& [field, value] : file.content.items()) {
    if (!field.starts_with("pooling_mode") || value == false) continue;
    const auto* mode =
        std::find_if(std::begin(kModes), std::end(kModes),
                     [&](const auto& known) { return field == known.first; });
    if (mode == std::end(kModes) || value != true) {
      return Unsupported(file.path,
                         fmt::format("{} {}", field, JsonFile::Dump(value)));
    }
    if (pooling) return Unsupported(file.path, "more than one pooling_mode");
    pooling = mode->second;
  }
  if (!pooling) {
    return absl::InvalidArgumentError(file.path + ": no pooling_mode is true");
  }
  config->pooling = *pooling;
  return absl::OkStatus();
}

absl::Status ReadLimits(const ModelFiles& files, const std::string& folder,
                        BertConfig* config) {
  config->max_tokens = config->max_positions;
  auto file = ReadJsonObject(files, folder + "sentence_bert_config.json");
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  RETURN_IF_ERROR(file.status());
  RETURN_IF_ERROR(file->Require("do_lower_case", false, /*may_lack=*/true));
  if (!file->Has("max_seq_length")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int limit, file->Count("max_seq_length"));
  if (limit < 2) {
    return absl::InvalidArgumentError(
        file->path + ": max_seq_length leaves no room for [CLS] and [SEP]");
  }
  config->max_tokens = std::min(limit, config->max_positions);
  return absl::OkStatus();
}

// Sets pooling and normalisation; returns where the transformer lies.
absl::StatusOr<std::string> ReadPipeline(const ModelFiles& files,
                                         BertConfig* config) {
  if (!files.Has(kModules)) return std::string();
  ASSIGN_OR_RETURN(const auto modules, ReadModules(files));
  constexpr const char* kKinds[] = {"Transformer", "Pooling", "Normalize"};
  for (size_t i = 0; i < modules.size(); ++i) {
    if (i >= std::size(kKinds) || modules[i].kind != kKinds[i]) {
      return Unsupported(
          files.PathOf(kModules),
          fmt::format("module {} of type {}", i, modules[i].kind));
    }
  }
  if (modules.size() < 2) {
    return Unsupported(files.PathOf(kModules), "a list without Pooling");
  }
  RETURN_IF_ERROR(ReadPooling(files, modules[1].folder, config));
  config->normalize = modules.size() == 3;
  return modules[0].folder;
}

}  // namespace

absl::StatusOr<BertFolder> ReadBertFolder(const ModelFiles& files) {
  BertFolder found;
  ASSIGN_OR_RETURN(found.transformer, ReadPipeline(files, &found.config));
  ASSIGN_OR_RETURN(const JsonFile file,
                   ReadJsonObject(files, found.transformer + "config.json"));
  RETURN_IF_ERROR(ReadShape(file, &found.config));
  RETURN_IF_ERROR(ReadLimits(files, found.transformer, &found.config));
  return found;
}

absl::StatusOr<BertConfig> ReadBertConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(path));
  ASSIGN_OR_RETURN(const BertFolder found, ReadBertFolder(files));
  return found.config;
}

}  // namespace quaver
