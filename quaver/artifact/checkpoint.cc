// See checkpoint.h.
#include "quaver/artifact/checkpoint.h"

#include <filesystem>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/base/file.h"

namespace quaver {
namespace {

constexpr char kSingle[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";
constexpr size_t kMaxIndexBytes = size_t{64} << 20;

// A file beside the index: no folders, so that no index reaches elsewhere.
bool IsPlainName(const std::string& name) {
  return name.ends_with(".safetensors") &&
         name.find_first_of("/\\") == std::string::npos;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Checkpoint>> Checkpoint::Open(
    const std::string& folder) {
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint(folder));
  if (std::filesystem::exists(folder + "/" + kSingle)) {
    RETURN_IF_ERROR(checkpoint->AddFile(kSingle));
    return checkpoint;
  }
  auto index = ReadFile(folder + "/" + kIndex, kMaxIndexBytes);
  if (absl::IsNotFound(index.status())) {
    return absl::NotFoundError(
        fmt::format("{} has neither {} nor {}", folder, kSingle, kIndex));
  }
  RETURN_IF_ERROR(index.status());
  RETURN_IF_ERROR(
      Annotate(checkpoint->AddIndexed(*index), folder + "/" + kIndex));
  return checkpoint;
}

absl::Status Checkpoint::AddFile(const std::string& name) {
  ASSIGN_OR_RETURN(auto file, Artifact::Open(folder_ + "/" + name));
  for (const auto& [tensor, view] : file->tensors()) {
    if (!tensors_.emplace(tensor, view).second) {
      return absl::InvalidArgumentError(fmt::format(
          "tensor \"{}\" is in {} and in another file", tensor, name));
    }
  }
  files_.emplace(name, std::move(file));
  return absl::OkStatus();
}

absl::Status Checkpoint::AddIndexed(const std::string& index_text) {
  const auto index = nlohmann::json::parse(index_text, /*cb=*/nullptr,
                                           /*allow_exceptions=*/false);
  if (!index.is_object() || !index.contains("weight_map") ||
      !index["weight_map"].is_object()) {
    return absl::InvalidArgumentError("weight_map is not a JSON object");
  }
  const auto& weight_map = index["weight_map"];
  std::set<std::string> names;
  for (const auto& [tensor, file] : weight_map.items()) {
    if (!file.is_string() || !IsPlainName(file.get<std::string>())) {
      return absl::InvalidArgumentError(fmt::format(
          "weight_map.{} is not the name of a .safetensors file beside it",
          tensor));
    }
    names.insert(file.get<std::string>());
  }
  for (const std::string& name : names) RETURN_IF_ERROR(AddFile(name));
  for (const auto& [tensor, file] : weight_map.items()) {
    const auto& name = file.get_ref<const std::string&>();
    if (!files_.at(name)->tensors().contains(tensor)) {
      return absl::InvalidArgumentError(
          fmt::format("weight_map.{}: {} has no such tensor", tensor, name));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> Checkpoint::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, view] : tensors_) names.push_back(name);
  return names;
}

bool Checkpoint::Has(const std::string& name) const {
  return tensors_.contains(name);
}

absl::StatusOr<TensorView> Checkpoint::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    return absl::NotFoundError(
        fmt::format("{}: there is no tensor \"{}\"", folder_, name));
  }
  return found->second;
}

void Checkpoint::DropPages() const {
  for (const auto& [name, file] : files_) file->DropPages();
}

}  // namespace quaver
