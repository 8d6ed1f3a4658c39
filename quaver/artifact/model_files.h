// A model's small files (configuration, tokenizer), wherever they lie.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "quaver/artifact/artifact.h"
#include "quaver/base/status.h"

namespace quaver {

// What a plan is to Artifact::Open.
inline constexpr char kPlanFormat[] = "quaver.plan";
inline constexpr int kPlanVersion = 2;  // 1: int8 and fp32

// Immutable, thread-safe.
class ModelFiles {
 public:
  // Those of a folder, read when asked for, or those that a plan carries.
  // Errors as Artifact::Open's; NotFound when `path` is neither.
  static absl::StatusOr<ModelFiles> Open(const std::string& path);

  // By the path inside the folder: "1_Pooling/config.json". NotFound when
  // absent, ResourceExhausted when larger than `max_bytes`.
  absl::StatusOr<std::string> Read(const std::string& name,
                                   size_t max_bytes = size_t{1} << 30) const;
  bool Has(const std::string& name) const;
  // What an error calls the file.
  std::string PathOf(const std::string& name) const {
    return path_ + "/" + name;
  }

  const std::string& path() const { return path_; }
  // Null for a folder.
  const std::shared_ptr<const Artifact>& plan() const { return plan_; }

  // Adds all small files of a folder to a plan.
  static absl::Status Carry(const std::string& folder, ArtifactWriter* plan);

 private:
  ModelFiles(std::string path, std::shared_ptr<const Artifact> plan)
      : path_(std::move(path)), plan_(std::move(plan)) {}

  std::string path_;
  std::shared_ptr<const Artifact> plan_;
};

}  // namespace quaver
