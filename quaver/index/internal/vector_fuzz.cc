// See vector_fuzz.h.
#include "quaver/index/internal/vector_fuzz.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"
#include "quaver/index/internal/edited_tensors.h"

namespace quaver {
namespace {

constexpr char kFormat[] = "quaver.test";
constexpr size_t kDimension = 13, kNumItems = 70;

std::vector<float> RandomVector(Random& random) {
  std::vector<float> vector(kDimension);
  for (float& value : vector) value = static_cast<float>(random.Normal());
  return vector;
}

EditedTensors ValidTensors() {
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
  return CopyTensors(**artifact);
}

}  // namespace

void CheckVectorAnswers(const VectorIndex& index) {
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

std::string CheckEditedVectors(std::string_view edits) {
  static const EditedTensors valid = ValidTensors();
  EditedTensors tensors = valid;
  ApplyEdits(edits, tensors);
  const auto index =
      VectorIndex::Open(WrapTensors(tensors, kFormat, 1), BestKernels());
  if (!index.ok()) {
    QUAVER_CHECK(!index.status().message().empty());
    return Message(index.status());
  }
  CheckVectorAnswers(**index);
  return "";
}

}  // namespace quaver
