// Test against sentence-transformers: MiniLM over 1,000 texts of 1 to 256
// tokens, from the file that tools/golden_encoder.py writes.
#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/base/workers.h"
#include "quaver/engine/bert.h"

namespace quaver {
namespace {

constexpr size_t kDimension = 384;
constexpr float kBound = 1e-5f;

// As golden_encoder.py's make_ids.
std::vector<int32_t> MakeIds(Random& random, size_t index) {
  constexpr int32_t kCls = 101;
  constexpr int32_t kSep = 102;
  constexpr uint64_t kVocabulary = 30522;
  constexpr uint64_t kLongest = 256;
  const uint64_t u = random.Below(1 << 16);
  const auto length = static_cast<unsigned __int128>(u * u * u * u) * kLongest;
  std::vector<int32_t> ids(index == 0 ? kLongest
                                      : 1 + static_cast<size_t>(length >> 64));
  for (int32_t& id : ids) id = static_cast<int32_t>(random.Below(kVocabulary));
  ids.front() = kCls;
  if (ids.size() > 1) ids.back() = kSep;
  return ids;
}

std::vector<float> FromHex(const std::string& text) {
  std::vector<float> values;
  for (size_t i = 0; i < text.size(); i += 8) {
    values.push_back(std::bit_cast<float>(
        static_cast<uint32_t>(std::stoul(text.substr(i, 8), nullptr, 16))));
  }
  return values;
}

class Golden {
 public:
  explicit Golden(const std::string& path)
      : json_(nlohmann::json::parse(*ReadFile(path))) {}

  size_t num_texts() const { return json_["texts"]; }

  // The largest difference on text `index`, over the components kept.
  float Compare(const BertModel& model, BertWorkspace& workspace,
                size_t index) const {
    Random random(json_["seed"], index);
    const std::vector<int32_t> ids = MakeIds(random, index);
    const std::vector<uint32_t> offsets = {0,
                                           static_cast<uint32_t>(ids.size())};
    std::vector<float> found(kDimension);
    model.Encode({ids, offsets}, workspace, found);
    float worst = 0;
    for (const float wanted : FromHex(json_["some"][index])) {
      const float value = found[random.Below(kDimension)];
      worst = std::max(worst, std::fabs(value - wanted));
    }
    const size_t whole_every = json_["whole_every"];
    if (index % whole_every != 0) return worst;
    const auto wanted = FromHex(json_["whole"][index / whole_every]);
    for (size_t i = 0; i < kDimension; ++i) {
      worst = std::max(worst, std::fabs(found[i] - wanted[i]));
    }
    return worst;
  }

 private:
  nlohmann::json json_;
};

// Every `step`-th text.
void ExpectParity(const Kernels& kernels, size_t step) {
  const auto model =
      BertModel::Load(QUAVER_SOURCE_DIR "/build/models/minilm", kernels);
  ASSERT_TRUE(model.ok()) << model.status() << "\nrun `make setup`";
  const Golden golden(QUAVER_SOURCE_DIR "/tests/golden/encoder.json");
  ASSERT_EQ(golden.num_texts(), 1000u);
  std::mutex mutex;
  float worst = 0;
  const size_t count = (golden.num_texts() + step - 1) / step;
  ParallelFor(count, 8, AvailableCores(), [&](size_t begin, size_t end) {
    BertWorkspace workspace(**model, 256);
    for (size_t i = begin; i < end; ++i) {
      const float difference = golden.Compare(**model, workspace, i * step);
      const std::lock_guard lock(mutex);
      worst = std::max(worst, difference);
    }
  });
  EXPECT_LE(worst, kBound) << kernels.name;
  testing::Test::RecordProperty("worst", std::to_string(worst));
}

TEST(EncoderGoldenTest, EqualsSentenceTransformers) {
  ExpectParity(*AvailableKernels().back(), 1);
}

TEST(EncoderGoldenTest, EveryOtherTableEqualsSentenceTransformers) {
  for (const Kernels* kernels : AvailableKernels()) {
    if (kernels == AvailableKernels().back()) continue;
    // The scalar table takes a second for a hundred tokens.
    ExpectParity(*kernels, kernels->name == std::string("scalar") ? 500 : 40);
  }
}

}  // namespace
}  // namespace quaver
