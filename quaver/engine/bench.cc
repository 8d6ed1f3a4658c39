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

std::vector<std::vector<int32_t>> RandomSentences(
    const BertModel& model, const EncoderBenchConfig& config) {
  std::vector<int> lengths = config.lengths;
  if (lengths.empty()) {
    lengths.assign(static_cast<size_t>(config.batch), config.tokens);
  }
  Random random(/*seed=*/1);
  const auto vocab_size = static_cast<uint64_t>(model.config().vocab_size);
  std::vector<std::vector<int32_t>> sentences;
  for (const int length : lengths) {
    auto& ids = sentences.emplace_back(static_cast<size_t>(length));
    for (int32_t& id : ids) id = static_cast<int32_t>(random.Below(vocab_size));
  }
  return sentences;
}

// The calls of a round.
std::vector<Tokens> Calls(const std::vector<std::vector<int32_t>>& sentences,
                          size_t batch) {
  std::vector<Tokens> calls;
  for (size_t i = 0; i < sentences.size(); ++i) {
    if (i % batch == 0) calls.push_back({{}, {0}});
    Tokens& call = calls.back();
    call.ids.insert(call.ids.end(), sentences[i].begin(), sentences[i].end());
    call.offsets.push_back(static_cast<uint32_t>(call.ids.size()));
  }
  return calls;
}

// The timed calls of one thread, in milliseconds.
std::vector<double> TimeCalls(const BertModel& model,
                              const std::vector<Tokens>& calls,
                              int num_iterations, const TeamConfig& team,
                              std::barrier<>& start) {
  size_t most = 0, sentences = 0;
  for (const Tokens& call : calls) {
    most = std::max(most, call.ids.size());
    sentences = std::max(sentences, call.offsets.size() - 1);
  }
  const auto D = static_cast<size_t>(model.config().hidden_size);
  BertWorkspace workspace(model, most, team);
  std::vector<float> embeddings(sentences * D);
  std::vector<double> times;
  const int num_warm_up = num_iterations / 10 + 1;
  for (int i = -num_warm_up; i < num_iterations; ++i) {
    if (i == 0) start.arrive_and_wait();
    for (const Tokens& call : calls) {
      const auto begin = SteadyClock::now();
      model.Encode({call.ids, call.offsets}, workspace,
                   std::span(embeddings).first((call.offsets.size() - 1) * D));
      if (i >= 0) times.push_back(MillisecondsSince(begin));
    }
  }
  return times;
}

absl::Status Check(const BertModel& model, const EncoderBenchConfig& config) {
  if (config.num_threads < 1 || config.threads_per_instance < 1 ||
      config.batch < 1 || config.tokens < 1 || config.num_iterations < 1) {
    return absl::InvalidArgumentError(
        "threads, threads per instance, batch, tokens and iterations must be "
        "at least 1");
  }
  std::vector<int> lengths = config.lengths;
  lengths.push_back(config.tokens);
  for (const auto& ids : config.sentences) {
    lengths.push_back(static_cast<int>(ids.size()));
    for (const int32_t id : ids) {
      if (id < 0 || id >= model.config().vocab_size) {
        return absl::InvalidArgumentError(fmt::format(
            "id {}; the model has {} words", id, model.config().vocab_size));
      }
    }
  }
  const auto [least, most] =
      std::minmax_element(lengths.begin(), lengths.end());
  if (*least < 1 || *most > model.config().max_positions) {
    return absl::InvalidArgumentError(
        fmt::format("a sentence of {} tokens; the model has {} positions",
                    *least < 1 ? *least : *most, model.config().max_positions));
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
  const std::vector<Tokens> calls =
      Calls(config.sentences.empty() ? RandomSentences(model, config)
                                     : config.sentences,
            static_cast<size_t>(config.batch));
  std::vector<std::vector<double>> times(
      static_cast<size_t>(config.num_threads));
  SteadyClock::time_point begin;
  std::barrier start(config.num_threads + 1);
  std::vector<std::thread> threads;
  for (int i = 0; i < config.num_threads; ++i) {
    threads.emplace_back([&, i] {
      const TeamConfig team =
          InstanceTeam(i, config.num_threads, config.threads_per_instance, {});
      times[static_cast<size_t>(i)] =
          TimeCalls(model, calls, config.num_iterations, team, start);
    });
  }
  start.arrive_and_wait();
  begin = SteadyClock::now();
  for (std::thread& thread : threads) thread.join();
  const double total_ms = MillisecondsSince(begin);
  std::vector<double> all;
  for (const auto& own : times) all.insert(all.end(), own.begin(), own.end());
  std::sort(all.begin(), all.end());
  double tokens = 0, sentences = 0;  // of a round
  for (const Tokens& call : calls) {
    tokens += static_cast<double>(call.ids.size());
    sentences += static_cast<double>(call.offsets.size() - 1);
  }
  const double rounds = config.num_threads * config.num_iterations;
  return EncoderBenchResult{all[all.size() / 2], all[all.size() * 9 / 10],
                            tokens / sentences,
                            rounds * sentences * 1000 / total_ms};
}

}  // namespace quaver
