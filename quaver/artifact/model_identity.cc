// See model_identity.h.
#include "quaver/artifact/model_identity.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "quaver/artifact/model_files.h"
#include "quaver/base/file.h"
#include "quaver/base/hash.h"

namespace quaver {
namespace {

bool DefinesModel(const std::string& name) {
  return name == "config.json" || name == "tokenizer.json" ||
         name == "vocab.txt" || name == "modules.json" ||
         name.ends_with(".safetensors");
}

}  // namespace

absl::StatusOr<ModelIdentity> IdentifyModel(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path, ignored)) {
    ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(path));
    ModelIdentity identity;
    ASSIGN_OR_RETURN(identity.name, files.plan()->Metadata(kPlanModel));
    ASSIGN_OR_RETURN(identity.hash, files.plan()->Metadata(kPlanModelHash));
    return identity;
  }
  const auto folder = std::filesystem::path(path).lexically_normal();
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    if (DefinesModel(name)) files.push_back(name);
  }
  if (files.empty()) {
    return absl::NotFoundError(fmt::format(
        "{} holds no model; `make setup` installs the default one", path));
  }
  std::sort(files.begin(), files.end());
  uint64_t hash = 0;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const auto map, MappedFile::Open(path + "/" + file));
    hash = Hash64(map->bytes(), Hash64(file, hash));
  }
  const auto name = folder.has_filename() ? folder.filename()
                                          : folder.parent_path().filename();
  return ModelIdentity{name.string(), Hex64(hash)};
}

}  // namespace quaver
