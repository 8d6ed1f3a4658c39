// How models lie in a repository's folders: names, versions, configurations.
//
//   <repository>/<model>/config.pbtxt
//   <repository>/<model>/configs/<name>.pbtxt
//   <repository>/<model>/<version>/<file>
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/serve/kserve_model.h"

namespace quaver {

struct ModelFolder {
  std::string name;
  std::string path;
};

// UTF-8 without control characters or "/", not beginning with ".", at most 255
// bytes: nothing that leads out of a repository.
bool IsModelName(std::string_view name);

// The models of all repositories, by name. A name that is in several of them
// comes several times. What is no folder, or has no model's name, is left out.
// NotFound for a repository that cannot be read.
absl::StatusOr<std::vector<ModelFolder>> ListModels(
    const std::vector<std::string>& repositories);

// NotFound, InvalidArgument for what is no model's name, or for one that is in
// several repositories.
absl::StatusOr<ModelFolder> FindModelFolder(
    const std::vector<std::string>& repositories, const std::string& name);

// Positive numbers without leading zeros that are folders' names, ascending.
// Others are left out.
std::vector<int64_t> ListVersions(const std::string& model_folder);

// configs/<config_name>.pbtxt, where that is asked for and there, else
// config.pbtxt; null when there is none. Errors as ParseConfigText's.
absl::StatusOr<std::shared_ptr<const inference::ModelConfig>> ReadConfigFile(
    const std::string& model_folder, const std::string& config_name);

// A number that changes when a file below the folder is added, removed or
// written: of names, sizes and times, not of contents. 0 when it cannot be
// read. Without those of configurations, unless `with_configs`.
uint64_t FolderFingerprint(const std::string& folder, bool with_configs);

// A private folder in the system's folder for temporary files, removed with all
// that is in it at destruction.
class TemporaryModel {
 public:
  // Of files by their names in the folder, such as "1/model.plan".
  // InvalidArgument for a name that is not a version, "/" and a file's name
  // without "/" and "..".
  static absl::StatusOr<std::unique_ptr<TemporaryModel>> Write(
      const std::map<std::string, std::string>& files);
  ~TemporaryModel();
  TemporaryModel(const TemporaryModel&) = delete;
  TemporaryModel& operator=(const TemporaryModel&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryModel(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace quaver
