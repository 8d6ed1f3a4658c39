// See vector_fuzz.h.
#include "quaver/index/internal/vector_fuzz.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"
#include "quaver/index/vector.h"

namespace quaver {
namespace {

constexpr char kFormat[] = "quaver.test";
constexpr size_t kDimension = 13, kNumItems = 70;

struct Tensor {
  DataType type;
  std::vector<int64_t> shape;
  std::string bytes;
};

struct Edit {
  uint8_t tensor;
  uint8_t operation;
  uint16_t offset;
  uint32_t value;
};
static_assert(sizeof(Edit) == 8);

std::vector<float> RandomVector(Random& random) {
  std::vector<float> vector(kDimension);
  for (float& value : vector) value = static_cast<float>(random.Normal());
  return vector;
}

std::map<std::string, Tensor> ValidTensors() {
  VectorConfig config;
  config.exhaustive_below = 0;
  config.items_per_list = 10;
  config.num_threads = 1;
  VectorIndexBuilder builder(kDimension, config);
  Random random(1);
  for (uint32_t i = 0; i < kNumItems; ++i) {
    QUAVER_CHECK(builder.Add(2 * i, RandomVector(random)).ok());
  }
  ArtifactWriter writer(kFormat, 1);
  QUAVER_CHECK(builder.Write(writer).ok());
  const auto artifact = Artifact::FromBytes(writer.Serialize(), kFormat, 1);
  QUAVER_CHECK(artifact.ok());
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, view] : (*artifact)->tensors()) {
    if (!name.starts_with("vector.")) continue;  // padding
    tensors[name] = {
        view.type, view.shape,
        std::string(reinterpret_cast<const char*>(view.bytes.data()),
                    view.bytes.size())};
  }
  return tensors;
}

// Keeps bytes and shape in step: the container is checked elsewhere.
void Resize(Tensor& tensor) {
  int64_t count = 1;
  for (int64_t& extent : tensor.shape) {
    extent = std::clamp<int64_t>(extent, 0, 4096);
    count *= extent;
  }
  count = std::min<int64_t>(count, 1 << 16);
  if (count == 1 << 16) tensor.shape = {count};
  tensor.bytes.resize(static_cast<size_t>(count) * SizeOf(tensor.type));
}

void Apply(const Edit& edit, std::map<std::string, Tensor>& tensors) {
  if (tensors.empty()) return;
  const auto entry = std::next(
      tensors.begin(), static_cast<ptrdiff_t>(edit.tensor % tensors.size()));
  Tensor& tensor = entry->second;
  switch (edit.operation % 5) {
    case 0:
      if (tensor.bytes.size() >= sizeof(edit.value)) {
        const size_t places = tensor.bytes.size() / sizeof(edit.value);
        std::memcpy(&tensor.bytes[edit.offset % places * sizeof(edit.value)],
                    &edit.value, sizeof(edit.value));
      }
      return;
    case 1:
      tensor.shape[0] -= edit.value % 40;
      return Resize(tensor);
    case 2:
      tensor.shape[0] += edit.value % 40;
      return Resize(tensor);
    case 3:
      tensor.shape[edit.offset % tensor.shape.size()] = edit.value % 4096;
      return Resize(tensor);
    case 4:
      tensors.erase(entry);
      return;
  }
}

void CheckAnswers(const VectorIndex& index) {
  Random random(2);
  std::vector<float> query(index.dimension()), stored(query.size());
  for (float& value : query) value = static_cast<float>(random.Normal());
  for (const size_t num_rerank : {size_t{3}, size_t{1000}}) {
    VectorParams params;
    params.num_rerank = num_rerank;
    const auto hits = index.Search(query, params, nullptr);
    QUAVER_CHECK(hits.size() == std::min(params.num_results, index.size()));
    for (const VectorHit& hit : hits) {
      QUAVER_CHECK(std::isfinite(hit.score));
      QUAVER_CHECK(hit.score == index.Score(query, hit.item));
      QUAVER_CHECK(index.Reconstruct(hit.item, stored));
    }
  }
  const float absent = index.Score(query, 0xFFFFFFFF);
  QUAVER_CHECK(absent == 0);
}

}  // namespace

std::string CheckEditedVectors(std::string_view edits) {
  static const std::map<std::string, Tensor> kValid = ValidTensors();
  std::map<std::string, Tensor> tensors = kValid;
  for (; edits.size() >= sizeof(Edit); edits.remove_prefix(sizeof(Edit))) {
    Edit edit;
    std::memcpy(&edit, edits.data(), sizeof(edit));
    Apply(edit, tensors);
  }
  ArtifactWriter writer(kFormat, 1);
  for (const auto& [name, tensor] : tensors) {
    writer.Add(name, tensor.type, tensor.shape,
               std::as_bytes(std::span(tensor.bytes)));
  }
  auto artifact = Artifact::FromBytes(writer.Serialize(), kFormat, 1);
  QUAVER_CHECK(artifact.ok());
  const auto index = VectorIndex::Open(*std::move(artifact), BestKernels());
  if (!index.ok()) {
    QUAVER_CHECK(!index.status().message().empty());
    return Message(index.status());
  }
  CheckAnswers(**index);
  return "";
}

}  // namespace quaver
