// See model_identity.h.
#include "quaver/ingest/model_identity.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

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

absl::StatusOr<ModelIdentity> IdentifyModel(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (DefinesModel(name)) files.push_back(name);
  }
  if (files.empty()) {
    return absl::NotFoundError(fmt::format(
        "{} holds no model; `make setup` installs the default one", folder));
  }
  std::sort(files.begin(), files.end());
  uint64_t hash = 0;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const auto map, MappedFile::Open(folder + "/" + file));
    hash = Hash64(map->bytes(), Hash64(file, hash));
  }
  const auto path = std::filesystem::path(folder).lexically_normal();
  const auto name =
      path.has_filename() ? path.filename() : path.parent_path().filename();
  return ModelIdentity{name.string(), Hex64(hash)};
}

}  // namespace quaver
