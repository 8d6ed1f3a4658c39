// See internal/json_file.h.
#include "quaver/engine/internal/json_file.h"

#include <limits>

#include "quaver/base/json.h"

namespace quaver {
namespace {

constexpr size_t kMaxConfigBytes = size_t{1} << 20;

}  // namespace

absl::Status Unsupported(const std::string& path, const std::string& what) {
  return absl::UnimplementedError(
      fmt::format("{}: {} is not supported", path, what));
}

absl::StatusOr<int> JsonFile::Count(const char* field) const {
  const auto found = content.find(field);
  if (found == content.end() || !found->is_number_integer() || *found < 1 ||
      *found > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {} is not a positive count", path, field));
  }
  return found->get<int>();
}

absl::Status JsonFile::Require(const char* field, const nlohmann::json& only,
                               bool may_lack) const {
  if (!Has(field) && may_lack) return absl::OkStatus();
  const nlohmann::json found = Has(field) ? content[field] : nlohmann::json();
  if (found == only) return absl::OkStatus();
  return Unsupported(path, fmt::format("{} {}", field, Dump(found)));
}

std::string JsonFile::Dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<JsonFile> ReadJson(const ModelFiles& files,
                                  const std::string& name) {
  ASSIGN_OR_RETURN(const std::string text, files.Read(name, kMaxConfigBytes));
  JsonFile file{files.PathOf(name), ParseJson(text)};
  if (file.content.is_discarded()) {
    return absl::InvalidArgumentError(file.path + " is not JSON");
  }
  return file;
}

absl::StatusOr<JsonFile> ReadJsonObject(const ModelFiles& files,
                                        const std::string& name) {
  ASSIGN_OR_RETURN(JsonFile file, ReadJson(files, name));
  if (!file.content.is_object()) {
    return absl::InvalidArgumentError(file.path + " is not a JSON object");
  }
  return file;
}

}  // namespace quaver
