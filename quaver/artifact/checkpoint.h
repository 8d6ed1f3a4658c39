// A checkpoint folder's tensors: one safetensors file, or several with an
// index, in Hugging Face's layout.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "quaver/artifact/artifact.h"
#include "quaver/base/status.h"

namespace quaver {

// Immutable, thread-safe; views live as long as it does.
class Checkpoint {
 public:
  // Maps `folder`/model.safetensors, else all files that
  // `folder`/model.safetensors.index.json names. NotFound when there is
  // neither; InvalidArgument, naming file and field, when one is damaged or a
  // tensor is not in the file that the index says.
  static absl::StatusOr<std::unique_ptr<const Checkpoint>> Open(
      const std::string& folder);

  bool Has(const std::string& name) const;
  // Of all tensors, rising.
  std::vector<std::string> Names() const;
  // NotFound, naming folder and tensor, when absent.
  absl::StatusOr<TensorView> Find(const std::string& name) const;

  // As Artifact::DropPages, for all files.
  void DropPages() const;

 private:
  explicit Checkpoint(std::string folder) : folder_(std::move(folder)) {}
  absl::Status AddFile(const std::string& name);
  absl::Status AddIndexed(const std::string& index_text);

  std::string folder_;
  std::map<std::string, std::shared_ptr<const Artifact>> files_;  // by name
  std::map<std::string, TensorView> tensors_;
};

}  // namespace quaver
