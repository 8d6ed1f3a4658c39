// See bench.h.
#include "quaver/engine/bench.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "quaver/base/hash.h"

namespace quaver {
namespace {

using SteadyClock = std::chrono::steady_clock;

double MillisecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start)
      .count();
}

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets;
};

Tokens RandomTokens(const BertModel& model, const EncoderBenchConfig& config) {
  Tokens tokens;
  Random random(/*seed=*/1);
  const auto vocab_size = static_cast<uint64_t>(model.config().vocab_size);
  for (int b = 0; b <= config.batch; ++b) {
    tokens.offsets.push_back(static_cast<uint32_t>(b * config.tokens));
  }
  for (int i = 0; i < config.batch * config.tokens; ++i) {
    tokens.ids.push_back(static_cast<int32_t>(random.Below(vocab_size)));
  }
  return tokens;
}

// The timed calls of one thread, in milliseconds.
std::vector<double> TimeCalls(const BertModel& model, const Tokens& tokens,
                              int num_iterations, std::barrier<>& start) {
  BertWorkspace workspace(model, tokens.ids.size());
  std::vector<float> embeddings(
      (tokens.offsets.size() - 1) *
      static_cast<size_t>(model.config().hidden_size));
  std::vector<double> times;
  const int num_warm_up = num_iterations / 10 + 1;
  for (int i = -num_warm_up; i < num_iterations; ++i) {
    if (i == 0) start.arrive_and_wait();
    const auto begin = SteadyClock::now();
    model.Encode({tokens.ids, tokens.offsets}, workspace, embeddings);
    if (i >= 0) times.push_back(MillisecondsSince(begin));
  }
  return times;
}

absl::Status Check(const BertModel& model, const EncoderBenchConfig& config) {
  if (config.num_threads < 1 || config.batch < 1 || config.tokens < 1 ||
      config.num_iterations < 1) {
    return absl::InvalidArgumentError(
        "threads, batch, tokens and iterations must be at least 1");
  }
  if (config.tokens > model.config().max_positions) {
    return absl::InvalidArgumentError(
        fmt::format("{} tokens exceed the model's {} positions", config.tokens,
                    model.config().max_positions));
  }
  if (config.batch > (1 << 24) / config.tokens) {
    return absl::InvalidArgumentError(
        "batch times tokens must not exceed 16,777,216");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EncoderBenchResult> BenchEncoder(
    const BertModel& model, const EncoderBenchConfig& config) {
  RETURN_IF_ERROR(Check(model, config));
  const Tokens tokens = RandomTokens(model, config);
  std::vector<std::vector<double>> times(
      static_cast<size_t>(config.num_threads));
  SteadyClock::time_point begin;
  std::barrier start(config.num_threads + 1);
  std::vector<std::thread> threads;
  for (auto& own : times) {
    threads.emplace_back(
        [&] { own = TimeCalls(model, tokens, config.num_iterations, start); });
  }
  start.arrive_and_wait();
  begin = SteadyClock::now();
  for (std::thread& thread : threads) thread.join();
  const double total_ms = MillisecondsSince(begin);
  std::vector<double> all;
  for (const auto& own : times) all.insert(all.end(), own.begin(), own.end());
  std::sort(all.begin(), all.end());
  return EncoderBenchResult{
      all[all.size() / 2], all[all.size() * 9 / 10],
      static_cast<double>(all.size()) * config.batch * 1000 / total_ms};
}

}  // namespace quaver
