// See embedding_cache.h.
#include "quaver/ingest/embedding_cache.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"

namespace quaver {
namespace {

struct Header {
  uint64_t hash;
  uint64_t checksum;
};

uint64_t Checksum(uint64_t hash, std::span<const float> embedding) {
  return Hash64(std::as_bytes(embedding), hash);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddingCache>> EmbeddingCache::Open(
    const std::string& folder, const std::string& model_hash,
    size_t dimension) {
  std::unique_ptr<EmbeddingCache> cache(new EmbeddingCache(
      fmt::format("{}/embeddings.{}.partial", folder, model_hash), dimension));
  RETURN_IF_ERROR(cache->Read());
  return cache;
}

EmbeddingCache::~EmbeddingCache() {
  if (file_ != nullptr) std::fclose(file_);
}

// Reads the records, cuts the file behind the last good one.
absl::Status EmbeddingCache::Read() {
  file_ = std::fopen(path_.c_str(), "a+be");
  if (file_ == nullptr) return ErrnoStatus(errno, "cannot open " + path_);
  std::rewind(file_);
  Header header = {};
  std::vector<float> embedding(dimension_);
  uintmax_t good_bytes = 0;
  while (std::fread(&header, sizeof(header), 1, file_) == 1 &&
         std::fread(embedding.data(), sizeof(float), dimension_, file_) ==
             dimension_ &&
         header.checksum == Checksum(header.hash, embedding)) {
    found_[header.hash] = embedding;
    good_bytes += sizeof(header) + dimension_ * sizeof(float);
  }
  std::error_code error;
  std::filesystem::resize_file(path_, good_bytes, error);
  if (error) return ErrnoStatus(error.value(), "cannot cut " + path_);
  // What was read ahead is forgotten before anything is written.
  if (std::fseek(file_, 0, SEEK_END) != 0) {
    return ErrnoStatus(errno, "cannot use " + path_);
  }
  return absl::OkStatus();
}

const std::vector<float>* EmbeddingCache::Find(uint64_t hash) const {
  const auto found = found_.find(hash);
  return found == found_.end() ? nullptr : &found->second;
}

absl::Status EmbeddingCache::Add(uint64_t hash,
                                 std::span<const float> embedding) {
  const Header header = {hash, Checksum(hash, embedding)};
  if (std::fwrite(&header, sizeof(header), 1, file_) != 1 ||
      std::fwrite(embedding.data(), sizeof(float), embedding.size(), file_) !=
          embedding.size()) {
    return ErrnoStatus(errno, "cannot write " + path_);
  }
  return absl::OkStatus();
}

void EmbeddingCache::Remove() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace quaver
