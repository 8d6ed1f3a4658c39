// See model_files.h.
#include "quaver/artifact/model_files.h"

#include <filesystem>
#include <map>
#include <utility>

#include "quaver/base/file.h"

namespace quaver {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "file:";
// Larger ones are weights or data.
constexpr size_t kMaxCarriedBytes = size_t{64} << 20;

bool IsCarried(const fs::path& path) {
  const std::string name = path.filename().string();
  return (name.ends_with(".json") && !name.ends_with(".index.json")) ||
         name == "vocab.txt" || name == "merges.txt";
}

}  // namespace

absl::StatusOr<ModelFiles> ModelFiles::Open(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return ModelFiles(path, nullptr);
  if (!fs::is_regular_file(path, error)) {
    return absl::NotFoundError(fmt::format(
        "{}: is neither a model's folder nor a plan; `quaver compile` makes "
        "plans",
        path));
  }
  ASSIGN_OR_RETURN(auto plan, Artifact::Open(path, kPlanFormat, kPlanVersion));
  return ModelFiles(path, std::move(plan));
}

absl::StatusOr<std::string> ModelFiles::Read(const std::string& name,
                                             size_t max_bytes) const {
  if (plan_ == nullptr) return ReadFile(PathOf(name), max_bytes);
  const auto found = plan_->tensors().find(std::string(kPrefix) + name);
  if (found == plan_->tensors().end()) {
    return absl::NotFoundError(
        fmt::format("{}: carries no file {}", path_, name));
  }
  const auto& bytes = found->second.bytes;
  if (bytes.size() > max_bytes) {
    return absl::ResourceExhaustedError(fmt::format(
        "{} has {} bytes, above {}", PathOf(name), bytes.size(), max_bytes));
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

bool ModelFiles::Has(const std::string& name) const {
  if (plan_ == nullptr) return fs::exists(PathOf(name));
  return plan_->tensors().contains(std::string(kPrefix) + name);
}

absl::Status ModelFiles::Carry(const std::string& folder,
                               ArtifactWriter* plan) {
  std::map<std::string, fs::path> files;  // by name, so that plans are equal
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (!entry.is_regular_file(error) || !IsCarried(entry.path())) continue;
    if (entry.file_size(error) > kMaxCarriedBytes) continue;
    files[fs::relative(entry.path(), folder).generic_string()] = entry.path();
  }
  if (error) {
    return ErrnoStatus(error.value(), fmt::format("reading {}", folder));
  }
  for (const auto& [name, path] : files) {
    ASSIGN_OR_RETURN(const std::string text,
                     ReadFile(path.string(), kMaxCarriedBytes));
    plan->Add<char>(std::string(kPrefix) + name,
                    {static_cast<int64_t>(text.size())},
                    std::span<const char>(text));
  }
  return absl::OkStatus();
}

}  // namespace quaver
