// For tests: an encoder without a model, and entities to feed it.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/artifact/model_identity.h"
#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/catalogue/entity.h"
#include "quaver/sched/servable.h"

namespace quaver {

// TEXT BYTES[B] -> EMBEDDING FP32[B, D]: the sum of a vector of each word's
// hash, of unit length. Texts with common words are near. Thread-safe.
class HashEncoder : public Servable {
 public:
  static constexpr size_t D = 32;

  // Texts embedded so far.
  int num_texts() const { return num_texts_; }
  // Fails with Unavailable once it has embedded this many texts.
  void FailAfter(int num_texts) { fail_after_ = num_texts; }

  std::vector<TensorSpec> inputs() const override {
    return {{"TEXT", Datatype::kBytes, {-1}}};
  }
  std::vector<TensorSpec> outputs() const override {
    return {{"EMBEDDING", Datatype::kFp32, {-1, static_cast<int64_t>(D)}}};
  }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request, const CallOptions&,
                                CallTimes*) override {
    const std::vector<std::string>& texts = request.at(0).strings;
    if (num_texts_ + static_cast<int>(texts.size()) > fail_after_) {
      return absl::UnavailableError("the encoder was told to fail");
    }
    num_texts_ += static_cast<int>(texts.size());
    std::vector<float> embeddings;
    for (const std::string& text : texts) {
      const std::vector<float> embedding = Embed(text);
      embeddings.insert(embeddings.end(), embedding.begin(), embedding.end());
    }
    Tensor output{
        .name = "EMBEDDING",
        .datatype = Datatype::kFp32,
        .shape = {static_cast<int64_t>(texts.size()), static_cast<int64_t>(D)},
        .strings = {},
        .raw = {}};
    output.raw.resize(embeddings.size() * sizeof(float));
    std::memcpy(output.raw.data(), embeddings.data(), output.raw.size());
    return Tensors{std::move(output)};
  }

  static std::vector<float> Embed(std::string_view text) {
    std::vector<float> sum(D);
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(' ', begin), text.size());
      Random random(Hash64(text.substr(begin, end - begin)));
      for (float& value : sum) {
        value += static_cast<float>(random.Uniform()) - 0.5f;
      }
      begin = end + 1;
    }
    float squares = 0;
    for (const float value : sum) squares += value * value;
    for (float& value : sum) value /= std::sqrt(squares);
    return sum;
  }

 private:
  std::atomic<int> num_texts_ = 0;
  std::atomic<int> fail_after_ = 1'000'000'000;
};

inline ModelIdentity HashModel() { return {"hash", "0123456789abcdef"}; }

// A new, empty folder.
inline std::string NewFolder(const std::string& name) {
  const std::string folder =
      fmt::format("{}quaver_ingest_{}_{}", testing::TempDir(), name, getpid());
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(MakeFolders(folder).ok());
  return folder;
}

inline Entity Track(const std::string& key, const std::string& title,
                    double popularity = 0) {
  Entity entity;
  entity.id = "track:" + key;
  entity.title = title;
  entity.popularity = popularity;
  return entity;
}

}  // namespace quaver
