// Embeddings that an interrupted build made, by the hash of their text.
//
// The file is a row of records {u64 hash, u64 XXH3 of the embedding,
// fp32[D]}; a record that a crash cut short or damaged is ignored, as is all
// behind it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

// Not thread-safe.
class EmbeddingCache {
 public:
  // Opens `<folder>/embeddings.<model hash>.partial`, reads what is there.
  static absl::StatusOr<std::unique_ptr<EmbeddingCache>> Open(
      const std::string& folder, const std::string& model_hash,
      size_t dimension);
  ~EmbeddingCache();

  // Null when absent. Valid until the next Add.
  const std::vector<float>* Find(uint64_t hash) const;
  // ResourceExhausted when the disk is full.
  absl::Status Add(uint64_t hash, std::span<const float> embedding);
  // Deletes the file: the build is done.
  void Remove();

 private:
  EmbeddingCache(std::string path, size_t dimension)
      : path_(std::move(path)), dimension_(dimension) {}
  absl::Status Read();

  std::string path_;
  size_t dimension_;
  std::FILE* file_ = nullptr;
  std::unordered_map<uint64_t, std::vector<float>> found_;
};

}  // namespace quaver
