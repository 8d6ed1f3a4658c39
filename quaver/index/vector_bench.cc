// Times of the vector index's parts, on random vectors.
#include <map>

#include <benchmark/benchmark.h>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"
#include "quaver/index/vector.h"
#include "quaver/index/vector_codes.h"
#include "quaver/index/vector_rotation.h"

namespace quaver {
namespace {

constexpr size_t D = 384;
constexpr char kFormat[] = "quaver.test";

std::vector<float> RandomVector(Random& random) {
  std::vector<float> vector(D);
  for (float& value : vector) value = static_cast<float>(random.Normal());
  return vector;
}

std::shared_ptr<const Artifact> Build(size_t N) {
  VectorIndexBuilder builder(D, VectorConfig{});
  Random random(1);
  for (uint32_t item = 0; item < N; ++item) {
    QUAVER_CHECK(builder.Add(item, RandomVector(random)).ok());
  }
  ArtifactWriter writer(kFormat, 1);
  QUAVER_CHECK(builder.Write(writer).ok());
  auto artifact = Artifact::FromBytes(writer.Serialize(), kFormat, 1);
  QUAVER_CHECK(artifact.ok());
  return *std::move(artifact);
}

// Recall on random vectors says nothing: `quaver eval index` measures it.
void BM_Search(benchmark::State& state, const Kernels* kernels) {
  const auto N = static_cast<size_t>(state.range(0));
  static std::map<size_t, std::shared_ptr<const Artifact>> built;
  if (!built.contains(N)) built[N] = Build(N);
  const auto index = VectorIndex::Open(built[N], *kernels);
  QUAVER_CHECK(index.ok());
  Random random(2);
  const auto query = RandomVector(random);
  for (auto _ : state) {
    benchmark::DoNotOptimize((*index)->Search(query, VectorParams{}, nullptr));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_ScanCodes(benchmark::State& state, const Kernels* kernels) {
  const size_t num_blocks = 256, num_bytes = CodeBytes(D);
  Random random(3);
  const QueryTables tables = BuildTables(RandomVector(random));
  std::vector<uint8_t> codes(num_blocks * kScanBlock * num_bytes);
  for (uint8_t& byte : codes) byte = static_cast<uint8_t>(random.Next());
  std::vector<uint16_t> sums(num_blocks * kScanBlock);
  for (auto _ : state) {
    kernels->scan.scan_codes(tables.entries.data(), codes.data(), num_bytes,
                             num_blocks, sums.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<int64_t>(sums.size()));
}

void BM_Rotate(benchmark::State& state) {
  const Rotation rotation(D, 1);
  Random random(4);
  auto vector = RandomVector(random);
  for (auto _ : state) {
    rotation.Apply(vector);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_Rotate);

void BM_BuildTables(benchmark::State& state) {
  Random random(5);
  const auto query = RandomVector(random);
  for (auto _ : state) benchmark::DoNotOptimize(BuildTables(query));
}
BENCHMARK(BM_BuildTables);

const bool kRegistered = [] {
  for (const Kernels* kernels : AvailableKernels()) {
    const std::string suffix = std::string("/") + kernels->name;
    benchmark::RegisterBenchmark(("BM_ScanCodes" + suffix).c_str(),
                                 BM_ScanCodes, kernels);
    benchmark::RegisterBenchmark(("BM_Search" + suffix).c_str(), BM_Search,
                                 kernels)
        ->Arg(10'000)
        ->Arg(60'000)
        ->Arg(250'000);
  }
  return true;
}();

}  // namespace
}  // namespace quaver
