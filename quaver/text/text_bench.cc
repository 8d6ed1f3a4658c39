// What normalising and comparing cost.
#include <string>

#include <benchmark/benchmark.h>

#include "quaver/text/edit_distance.h"
#include "quaver/text/normalize.h"
#include "quaver/text/terms.h"
#include "quaver/text/wordpiece.h"

namespace quaver {
namespace {

constexpr const char* kTexts[] = {
    "The Quick Brown Fox Jumps Over",          // 30 bytes
    "Beyonc\xC3\xA9 & Sigur R\xC3\xB3s Live",  // Latin with accents
    "\xD0\x9A\xD0\xB8\xD0\xBD\xD0\xBE \xD0\x93\xD1\x80\xD1\x83\xD0\xBF\xD0\xBF"
    "\xD0\xB0 \xD0\xBA\xD1\x80\xD0\xBE\xD0\xB2\xD0\xB8",  // Cyrillic
    "\xE6\x9D\xB1\xE4\xBA\xAC\xE4\xBA\x8B\xE5\xA4\x89 "
    "\xEC\x95\x84\xEC\x9D\xB4\xEC\x9C\xA0",  // Han and Hangul
};

void BM_Normalize(benchmark::State& state) {
  const std::string text = kTexts[state.range(0)];
  for (auto _ : state) benchmark::DoNotOptimize(Normalize(text));
}
BENCHMARK(BM_Normalize)->DenseRange(0, 3);

void BM_NormalizeWithSource(benchmark::State& state) {
  const std::string text = kTexts[state.range(0)];
  for (auto _ : state) benchmark::DoNotOptimize(NormalizeWithSource(text));
}
BENCHMARK(BM_NormalizeWithSource)->Arg(0);

// Run from the source folder: reads the model's tokenizer.
void BM_WordPiece(benchmark::State& state) {
  const auto tokenizer = WordPiece::Load("build/models/minilm");
  if (!tokenizer.ok()) {
    state.SkipWithError("no build/models/minilm here: run make setup");
    return;
  }
  const std::string text = kTexts[state.range(0)];
  for (auto _ : state) {
    benchmark::DoNotOptimize((*tokenizer)->Encode(text, 128));
  }
}
BENCHMARK(BM_WordPiece)->DenseRange(0, 3);

// Letters in an order that matches in part.
std::string Letters(int64_t length, int step) {
  std::string text;
  for (int64_t i = 0; i < length; ++i) {
    text.push_back(static_cast<char>('a' + i * step % 26));
  }
  return text;
}

void BM_Osa(benchmark::State& state) {
  const EditPattern pattern(Letters(state.range(0), 3));
  const std::string text = Letters(state.range(0), 5);
  for (auto _ : state) benchmark::DoNotOptimize(pattern.Osa(text));
}
BENCHMARK(BM_Osa)->Arg(8)->Arg(25)->Arg(64)->Arg(100);

void BM_Indel(benchmark::State& state) {
  const EditPattern pattern(Letters(state.range(0), 3));
  const std::string text = Letters(state.range(0), 5);
  for (auto _ : state) benchmark::DoNotOptimize(pattern.Indel(text));
}
BENCHMARK(BM_Indel)->Arg(8)->Arg(25)->Arg(64)->Arg(100);

void BM_OsaSimilarity(benchmark::State& state) {
  const EditPattern pattern(Letters(state.range(0), 3));
  const std::string text = Letters(state.range(0), 5);
  for (auto _ : state) benchmark::DoNotOptimize(OsaSimilarity(pattern, text));
}
BENCHMARK(BM_OsaSimilarity)->Arg(8)->Arg(25);

void BM_MakeEditPattern(benchmark::State& state) {
  const std::string text = Letters(state.range(0), 3);
  for (auto _ : state) {
    EditPattern pattern(text);
    benchmark::DoNotOptimize(&pattern);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_MakeEditPattern)->Arg(8)->Arg(25);

}  // namespace
}  // namespace quaver
