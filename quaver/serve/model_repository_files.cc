// See model_repository_files.h.
#include "quaver/serve/model_repository_files.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/net/proto/model_config.pb.h"
#include "quaver/serve/internal/tensor_data.h"
#include "quaver/serve/model_config.h"

namespace quaver {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxNameBytes = 255;  // of a file's name on Linux
constexpr char kConfigFile[] = "config.pbtxt";
constexpr char kConfigsFolder[] = "configs";

// Nothing for what is no version.
std::optional<int64_t> VersionOf(std::string_view name) {
  int64_t version = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, version);
  if (error != std::errc() || stop != end || version < 1 || name[0] == '0') {
    return std::nullopt;
  }
  return version;
}

// Entries of a folder by name; empty when it cannot be read.
std::vector<fs::path> Entries(const fs::path& folder, std::error_code& error) {
  std::vector<fs::path> entries;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    entries.push_back(it->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

absl::Status CheckFileName(const std::string& name) {
  const size_t slash = name.find('/');
  const bool fits = slash != std::string::npos &&
                    VersionOf(std::string_view(name).substr(0, slash)) &&
                    IsModelName(std::string_view(name).substr(slash + 1));
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "'file:{}' is no file's name: expected 'file:<version>/<file>'", name));
}

}  // namespace

bool IsModelName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name[0] != '.' &&
         IsUtf8(name) && std::none_of(name.begin(), name.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/';
         });
}

absl::StatusOr<std::vector<ModelFolder>> ListModels(
    const std::vector<std::string>& repositories) {
  std::vector<ModelFolder> models;
  for (const std::string& repository : repositories) {
    std::error_code error;
    const std::vector<fs::path> entries = Entries(repository, error);
    if (error) {
      return absl::NotFoundError(
          fmt::format("model repository {}: {}", repository, error.message()));
    }
    for (const fs::path& entry : entries) {
      const std::string name = entry.filename().string();
      if (!IsModelName(name) || !fs::is_directory(entry, error)) continue;
      models.push_back({name, entry.string()});
    }
  }
  std::stable_sort(
      models.begin(), models.end(),
      [](const auto& a, const auto& b) { return a.name < b.name; });
  return models;
}

absl::StatusOr<ModelFolder> FindModelFolder(
    const std::vector<std::string>& repositories, const std::string& name) {
  if (!IsModelName(name)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is no name of a model", name));
  }
  ModelFolder found;
  for (const std::string& repository : repositories) {
    const fs::path path = fs::path(repository) / name;
    std::error_code error;
    if (!fs::is_directory(path, error)) continue;
    if (!found.path.empty()) {
      return absl::InvalidArgumentError(
          fmt::format("model '{}' is in two repositories: {} and {}", name,
                      found.path, path.string()));
    }
    found = {name, path.string()};
  }
  if (found.path.empty()) {
    return absl::NotFoundError(
        fmt::format("there is no folder of that name in the model repository"));
  }
  return found;
}

std::vector<int64_t> ListVersions(const std::string& model_folder) {
  std::vector<int64_t> versions;
  std::error_code error;
  for (const fs::path& entry : Entries(model_folder, error)) {
    const auto version = VersionOf(entry.filename().string());
    if (version && fs::is_directory(entry, error)) versions.push_back(*version);
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

absl::StatusOr<std::shared_ptr<const inference::ModelConfig>> ReadConfigFile(
    const std::string& model_folder, const std::string& config_name) {
  std::vector<std::string> paths;
  if (!config_name.empty()) {
    paths.push_back(fmt::format("{}/{}/{}.pbtxt", model_folder, kConfigsFolder,
                                config_name));
  }
  paths.push_back(fmt::format("{}/{}", model_folder, kConfigFile));
  for (const std::string& path : paths) {
    auto text = ReadFile(path, kMaxConfigBytes);
    if (absl::IsNotFound(text.status())) continue;
    if (!text.ok()) return text.status();
    ASSIGN_OR_RETURN(inference::ModelConfig config,
                     ParseConfigText(*text, path));
    return std::make_shared<const inference::ModelConfig>(std::move(config));
  }
  return std::shared_ptr<const inference::ModelConfig>();
}

uint64_t FolderFingerprint(const std::string& folder, bool with_configs) {
  std::error_code error;
  std::vector<std::string> lines;
  fs::recursive_directory_iterator it(folder, error);
  for (; !error && it != fs::recursive_directory_iterator();
       it.increment(error)) {
    const fs::path relative = it->path().lexically_relative(folder);
    const bool is_config =
        relative == kConfigFile || *relative.begin() == kConfigsFolder;
    if (is_config && !with_configs) continue;
    std::error_code gone;  // it may be, meanwhile
    if (it->is_directory(gone)) {
      lines.push_back(relative.string());
      continue;
    }
    const auto bytes = it->file_size(gone);
    const auto time = it->last_write_time(gone).time_since_epoch().count();
    lines.push_back(fmt::format("{}\n{}\n{}", relative.string(), bytes, time));
  }
  if (error) return 0;
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return Hash64(text);
}

absl::StatusOr<std::unique_ptr<TemporaryModel>> TemporaryModel::Write(
    const std::map<std::string, std::string>& files) {
  for (const auto& [name, content] : files) {
    RETURN_IF_ERROR(CheckFileName(name));
  }
  std::error_code error;
  std::string path =
      (fs::temp_directory_path(error) / "quaver-model-XXXXXX").string();
  if (error || ::mkdtemp(path.data()) == nullptr) {  // for nobody else to read
    return absl::UnavailableError(
        fmt::format("cannot make a folder for temporary files at {}", path));
  }
  std::unique_ptr<TemporaryModel> model(new TemporaryModel(path));
  for (const auto& [name, content] : files) {
    const fs::path file = fs::path(path) / name;
    RETURN_IF_ERROR(MakeFolders(file.parent_path().string()));
    RETURN_IF_ERROR(WriteFileAtomically(file.string(), content));
  }
  return model;
}

TemporaryModel::~TemporaryModel() {
  std::error_code error;
  fs::remove_all(path_, error);
}

}  // namespace quaver
