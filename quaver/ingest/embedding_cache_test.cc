// Tests of the embeddings an interrupted build left: cut, damaged, continued.
#include "quaver/ingest/embedding_cache.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "quaver/ingest/hash_encoder.h"

namespace quaver {
namespace {

constexpr size_t D = 3;
constexpr size_t kRecordBytes = 16 + D * sizeof(float);

std::unique_ptr<EmbeddingCache> Open(const std::string& folder) {
  auto cache = EmbeddingCache::Open(folder, "hash", D);
  EXPECT_TRUE(cache.ok()) << cache.status();
  return *std::move(cache);
}

std::string Path(const std::string& folder) {
  return folder + "/embeddings.hash.partial";
}

std::vector<float> Value(uint64_t hash) {
  return {static_cast<float>(hash), 0.5f, -1.0f};
}

// How many of the records 1, 2, 3 are there, from the first on.
int NumFound(const EmbeddingCache& cache) {
  int count = 0;
  for (uint64_t hash = 1; hash <= 3; ++hash) {
    const std::vector<float>* found = cache.Find(hash);
    if (found == nullptr) continue;
    EXPECT_EQ(*found, Value(hash));
    EXPECT_EQ(count, static_cast<int>(hash - 1)) << "a hole";
    ++count;
  }
  return count;
}

// Writes three records; returns the file.
std::string WriteThree(const std::string& folder) {
  {
    const auto cache = Open(folder);
    for (uint64_t hash = 1; hash <= 3; ++hash) {
      EXPECT_TRUE(cache->Add(hash, Value(hash)).ok());
    }
  }
  return ReadFile(Path(folder)).value();
}

TEST(EmbeddingCacheTest, KeepsWhatWasAdded) {
  const std::string folder = NewFolder("cache");
  EXPECT_EQ(WriteThree(folder).size(), 3 * kRecordBytes);
  const auto cache = Open(folder);
  EXPECT_EQ(NumFound(*cache), 3);
  EXPECT_EQ(cache->Find(4), nullptr);
  cache->Remove();
  EXPECT_FALSE(std::filesystem::exists(Path(folder)));
}

TEST(EmbeddingCacheTest, ForgetsARecordThatWasCutShort) {
  const std::string folder = NewFolder("cache_cut");
  const std::string whole = WriteThree(folder);
  for (size_t bytes = 0; bytes <= whole.size(); ++bytes) {
    ASSERT_TRUE(WriteFileAtomically(Path(folder), whole.substr(0, bytes)).ok());
    const int left = static_cast<int>(bytes / kRecordBytes);
    {
      const auto cache = Open(folder);
      ASSERT_EQ(NumFound(*cache), left) << bytes;
      for (uint64_t hash = left + 1; hash <= 3; ++hash) {
        ASSERT_TRUE(cache->Add(hash, Value(hash)).ok());
      }
    }
    ASSERT_EQ(ReadFile(Path(folder)).value(), whole) << bytes;
  }
}

TEST(EmbeddingCacheTest, ForgetsADamagedRecordAndAllBehindIt) {
  const std::string folder = NewFolder("cache_damage");
  const std::string whole = WriteThree(folder);
  for (size_t byte = 0; byte < whole.size(); ++byte) {
    std::string damaged = whole;
    damaged[byte] ^= 0x10;
    ASSERT_TRUE(WriteFileAtomically(Path(folder), damaged).ok());
    const int left = static_cast<int>(byte / kRecordBytes);
    {
      const auto cache = Open(folder);
      ASSERT_EQ(NumFound(*cache), left) << byte;
      for (uint64_t hash = left + 1; hash <= 3; ++hash) {
        ASSERT_TRUE(cache->Add(hash, Value(hash)).ok());
      }
    }
    ASSERT_EQ(NumFound(*Open(folder)), 3) << byte;
  }
}

TEST(EmbeddingCacheTest, NamesTheFileItCannotOpen) {
  const auto cache = EmbeddingCache::Open("/nowhere/at/all", "hash", D);
  EXPECT_EQ(cache.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(Message(cache.status()).find("/nowhere/at/all"), std::string::npos);
}

}  // namespace
}  // namespace quaver
