// quaver bench: how fast the parts are.
#include <algorithm>
#include <barrier>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/backends/tokenizers.h"
#include "quaver/base/clock.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/drafts.h"
#include "quaver/cli/runtime.h"
#include "quaver/engine/bench.h"
#include "quaver/engine/generation.h"
#include "quaver/eval/statistics.h"
#include "quaver/eval/table.h"
#include "quaver/text/bpe.h"

namespace quaver {
namespace {

int GrantedThreads(int num_instances, int threads_per_instance) {
  return TeamSize(InstanceTeam(0, num_instances, threads_per_instance, {}));
}

struct CorrectorOptions {
  std::string model;
  std::string pairs;  // a file; empty: standard input
  std::string draft = "input";
  std::string index;
  int threads = 1;
  int threads_per_instance = 1;
  int batch = 1;
  int rounds = 3;
  int new_tokens = 0;  // of every answer; 0: the model says when it ends
  bool as_json = false;
};

constexpr int kMaxBatch = 256;

// The first columns.
absl::StatusOr<std::vector<std::string>> ReadQueries(const std::string& path) {
  std::ifstream file;
  if (!path.empty()) file.open(path);
  std::istream& input = path.empty() ? std::cin : file;
  if (!input) return absl::NotFoundError(path + ": cannot be read");
  std::vector<std::string> queries;
  for (std::string line; std::getline(input, line);) {
    queries.push_back(line.substr(0, line.find('\t')));
  }
  if (queries.empty()) {
    return absl::InvalidArgumentError((path.empty() ? "standard input" : path) +
                                      " holds no query");
  }
  return queries;
}

struct CorrectorTimes {
  std::vector<double> calls;  // milliseconds of each batch
  int64_t passes = 0;
  absl::Status status;
};

// Text in, text out, `batch` queries at a time in this thread: tokens, encoder,
// decoder, text.
class CorrectorBench {
 public:
  CorrectorBench(const BartModel& model, const Bpe& tokenizer,
                 const Drafts& drafts, const CorrectorOptions& options,
                 int instance)
      : tokenizer_(tokenizer),
        drafts_(drafts),
        options_(options),
        generator_(model, Limits(options),
                   InstanceTeam(instance, options.threads,
                                options.threads_per_instance, {})) {}

  absl::Status Run(const std::vector<std::string>& queries,
                   std::barrier<>& start, CorrectorTimes* times) {
    const auto batch = static_cast<size_t>(options_.batch);
    for (int round = 0; round <= options_.rounds; ++round) {
      if (round == 1) start.arrive_and_wait();  // the first warms up
      for (size_t i = 0; i < queries.size(); i += batch) {
        const size_t count = std::min(batch, queries.size() - i);
        const int64_t begin = Clock::Real().NowUs();
        ASSIGN_OR_RETURN(const int64_t passes,
                         Answer(std::span(queries).subspan(i, count)));
        const int64_t end = Clock::Real().NowUs();
        if (round == 0) continue;
        times->calls.push_back(static_cast<double>(end - begin) / 1e3);
        times->passes += passes;
      }
    }
    return absl::OkStatus();
  }

 private:
  static GeneratorLimits Limits(const CorrectorOptions& options) {
    GeneratorLimits limits;
    limits.max_requests = options.batch;
    limits.max_rows = std::max(limits.max_rows, 16 * options.batch);
    return limits;
  }

  absl::StatusOr<int64_t> Answer(std::span<const std::string> queries) {
    const int max_tokens = GeneratorLimits().max_source_tokens;
    for (const std::string& query : queries) {
      GenerationRequest request;
      request.source = tokenizer_.Encode(query, max_tokens);
      if (options_.new_tokens > 0) {
        request.options = {.max_new_tokens = options_.new_tokens,
                           .min_new_tokens = options_.new_tokens};
      }
      request.drafts =
          drafts_.Of(query, request.source, &tokenizer_, max_tokens);
      RETURN_IF_ERROR(generator_.Add(std::move(request)));
    }
    std::vector<Generated> done;
    while (!generator_.idle()) generator_.Step(&done);
    int64_t passes = 0;
    for (const Generated& one : done) {
      passes += one.passes;
      text_bytes_ += tokenizer_.Decode(one.tokens).size();
    }
    return passes;
  }

  const Bpe& tokenizer_;
  const Drafts& drafts_;
  const CorrectorOptions& options_;
  Generator generator_;
  size_t text_bytes_ = 0;  // so that decoding is not left out
};

absl::Status BenchTheCorrector(CorrectorOptions options) {
  options.threads = CappedThreads(options.threads);
  const Kernels& kernels = BestKernels();
  ASSIGN_OR_RETURN(const Drafts drafts,
                   Drafts::Open(options.draft, options.index));
  ASSIGN_OR_RETURN(const auto model, BartModel::Load(options.model, kernels));
  ASSIGN_OR_RETURN(const auto tokenizer, LoadBpe(options.model));
  ASSIGN_OR_RETURN(const auto queries, ReadQueries(options.pairs));
  std::barrier start(options.threads + 1);
  std::vector<CorrectorTimes> times(static_cast<size_t>(options.threads));
  std::vector<std::thread> threads;
  for (int i = 0; i < options.threads; ++i) {
    threads.emplace_back([&, i] {
      CorrectorTimes& own = times[static_cast<size_t>(i)];
      CorrectorBench bench(*model, *tokenizer, drafts, options, i);
      own.status = bench.Run(queries, start, &own);
      if (!own.status.ok()) start.arrive_and_drop();
    });
  }
  start.arrive_and_wait();
  const Stopwatch watch;
  for (std::thread& thread : threads) thread.join();
  const double seconds = static_cast<double>(watch.ElapsedUs()) * 1e-6;
  std::vector<double> calls;
  int64_t passes = 0;
  for (const CorrectorTimes& own : times) {
    RETURN_IF_ERROR(own.status);
    calls.insert(calls.end(), own.calls.begin(), own.calls.end());
    passes += own.passes;
  }
  const double answered =
      static_cast<double>(queries.size()) * options.rounds * options.threads;
  const nlohmann::ordered_json result = {
      {"isa", kernels.name},
      {"queries", queries.size()},
      {"draft", options.draft},
      {"threads", options.threads},
      {"threads_per_instance",
       GrantedThreads(options.threads, options.threads_per_instance)},
      {"batch", options.batch},
      {"p50_ms", Percentile(calls, 0.5)},
      {"p90_ms", Percentile(calls, 0.9)},
      {"p99_ms", Percentile(calls, 0.99)},
      {"queries_per_s", answered / seconds},
      {"passes", static_cast<double>(passes) / answered}};
  if (options.as_json) {
    std::cout << result.dump() << "\n";
  } else {
    std::cout << fmt::format(
        "{}, {} queries, draft {}, {} instance(s) of {} thread(s), batch {}: "
        "p50 {:.2f} ms, p90 {:.2f} ms, p99 {:.2f} ms, {:.0f} queries/s, {:.2f} "
        "passes a query\n",
        kernels.name, queries.size(), options.draft, options.threads,
        result["threads_per_instance"].get<int>(), options.batch,
        result["p50_ms"].get<double>(), result["p90_ms"].get<double>(),
        result["p99_ms"].get<double>(), result["queries_per_s"].get<double>(),
        result["passes"].get<double>());
  }
  return absl::OkStatus();
}

void AddBenchCorrector(CLI::App& bench, Action& action) {
  CLI::App* command = bench.add_subcommand(
      "corrector",
      "The spell corrector's model, on queries of a file or standard input");
  const auto options = std::make_shared<CorrectorOptions>();
  command->add_option("--model", options->model, "Plan or folder of the model")
      ->required();
  command->add_option("--pairs", options->pairs,
                      "File whose first column are queries");
  command->add_option("--draft", options->draft, "What is guessed of an answer")
      ->check(CLI::IsMember(Drafts::kKinds))
      ->capture_default_str();
  command->add_option("--index", options->index,
                      "Folder made by ingest, whose words are the dictionary");
  command->add_option("--threads", options->threads, "Instances at once")
      ->check(CLI::Range(1, kMaxThreads))
      ->capture_default_str();
  command
      ->add_option("--threads-per-instance", options->threads_per_instance,
                   "Cores that compute a call together")
      ->check(CLI::Range(1, kMaxThreads))
      ->capture_default_str();
  command->add_option("--batch", options->batch, "Queries at once")
      ->check(CLI::Range(1, kMaxBatch))
      ->capture_default_str();
  command->add_option("--rounds", options->rounds, "Times each query is timed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--new-tokens", options->new_tokens,
                   "Tokens of every answer, whatever the model says; 0: as it "
                   "says")
      ->check(CLI::Range(0, GeneratorLimits().max_target_tokens - 1))
      ->capture_default_str();
  command->add_flag("--json", options->as_json, "One JSON object");
  command->callback([&action, options] {
    action = [options] { return BenchTheCorrector(*options); };
  });
}

// MiniLM's and bart-base's products, from one row to a full batch.
std::vector<GemmShape> ModelShapes() {
  std::vector<GemmShape> shapes;
  constexpr size_t kSizes[][2] = {{1152, 384}, {384, 384},  {1536, 384},
                                  {384, 1536}, {2304, 768}, {768, 768},
                                  {3072, 768}, {768, 3072}, {50265, 768}};
  for (const Precision precision :
       {Precision::kInt8, Precision::kBf16, Precision::kFp32}) {
    for (const auto& [N, K] : kSizes) {
      for (const size_t M : {1, 11, 32, 352}) {
        shapes.push_back({M, N, K, precision});
      }
    }
  }
  return shapes;
}

absl::Status BenchTheProducts(bool as_json) {
  const Kernels& kernels = BestKernels();
  GemmLimits limits;
  const auto results = BenchGemm(kernels, ModelShapes(), &limits);
  const auto peak = [&](Precision precision) {
    return limits.gops[static_cast<size_t>(precision)];
  };
  if (as_json) {
    auto lines = nlohmann::ordered_json::array();
    for (const GemmResult& one : results) {
      lines.push_back({{"precision", Name(one.shape.precision)},
                       {"rows", one.shape.M},
                       {"outputs", one.shape.N},
                       {"inputs", one.shape.K},
                       {"us", one.us},
                       {"gops", one.gops},
                       {"gbytes_per_s", one.gbytes},
                       {"roofline_share", one.roofline_us / one.us}});
    }
    const nlohmann::ordered_json result = {
        {"isa", kernels.name},
        {"peak_int8_gops", peak(Precision::kInt8)},
        {"peak_bf16_gops", peak(Precision::kBf16)},
        {"peak_fp32_gops", peak(Precision::kFp32)},
        {"peak_gbytes_per_s", limits.gbytes},
        {"products", lines}};
    std::cout << result.dump() << "\n";
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {{"precision", "rows", "outputs",
                                                 "inputs", "us", "GOP/s",
                                                 "GB/s", "share of roofline"}};
  for (const GemmResult& one : results) {
    rows.push_back({std::string(Name(one.shape.precision)),
                    std::to_string(one.shape.M), std::to_string(one.shape.N),
                    std::to_string(one.shape.K), fmt::format("{:.1f}", one.us),
                    fmt::format("{:.0f}", one.gops),
                    fmt::format("{:.1f}", one.gbytes),
                    fmt::format("{:.0f} %", 100 * one.roofline_us / one.us)});
  }
  std::cout
      << MarkdownTable(rows)
      << fmt::format(
             "{}, one thread; limits as seen here: int8 {:.0f} GOP/s, "
             "bf16 {:.0f} GOP/s, fp32 {:.0f} GOP/s from the cache, {:.1f} "
             "GB/s read\n",
             kernels.name, peak(Precision::kInt8), peak(Precision::kBf16),
             peak(Precision::kFp32), limits.gbytes);
  return absl::OkStatus();
}

}  // namespace

void AddBenchCommand(CLI::App& app, Action& action) {
  CLI::App* bench = app.add_subcommand("bench", "Measure speed");
  bench->require_subcommand(1);
  AddBenchCorrector(*bench, action);
  AddBenchLoadCommand(*bench, action);
  CLI::App* gemm = bench->add_subcommand(
      "gemm", "Products of models' shapes against the machine's limits");
  const auto gemm_as_json = std::make_shared<bool>(false);
  gemm->add_flag("--json", *gemm_as_json, "One JSON object");
  gemm->callback([&action, gemm_as_json] {
    action = [gemm_as_json] { return BenchTheProducts(*gemm_as_json); };
  });
  AddBenchEncoderCommand(*bench, action);
}

}  // namespace quaver
