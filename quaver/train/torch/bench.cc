// See bench.h.
#include "quaver/train/torch/bench.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/clock.h"
#include "quaver/base/hash.h"
#include "quaver/base/log.h"
#include "quaver/base/workers.h"
#include "quaver/train/torch/peak.h"
#include "quaver/train/torch/trainer.h"

namespace quaver {
namespace {

constexpr double kDropout = 0.1;
constexpr int kLeastSteps = 2;

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Rung {
  std::string change;
  TrainerConfig config;
  int pairs = 32;
  std::vector<double> rates;  // useful tokens/s, of each round

  double median() const { return Median(rates); }
};

// Lengths as people type: log-normal from 3 to 24 tokens, about 9 in the mean;
// what is meant is as long as what is typed, give or take one.
Batch RandomPairs(const BartShape& shape, int pairs, uint64_t step) {
  Random random(17, step);
  const auto text = [&](int64_t length) {
    std::vector<int32_t> ids(length);
    for (int32_t& id : ids) {
      id = static_cast<int32_t>(
          10 + random.Below(static_cast<uint64_t>(shape.vocab_size - 10)));
    }
    return ids;
  };
  Batch batch;
  for (int i = 0; i < pairs; ++i) {
    const auto drawn =
        static_cast<int64_t>(std::exp(2.1 + 0.45 * random.Normal()));
    const int64_t source = std::clamp<int64_t>(drawn, 3, 24);
    constexpr int64_t kMore[] = {-1, 0, 0, 0, 1};
    const int64_t target =
        std::max<int64_t>(3, source + kMore[random.Below(5)]);
    AddPair(text(source), text(target), shape.decoder_start_id, &batch);
  }
  return batch;
}

std::vector<Rung> Ladder(const BartShape& shape) {
  TrainerConfig config;
  config.shape = shape;
  config.compute = at::kFloat;
  config.workers = 1;
  config.threads_of_worker = AvailableCores();
  config.micro_tokens = std::numeric_limits<int32_t>::max();
  config.logits_bytes = std::numeric_limits<int64_t>::max() / 2;
  config.dropout = kDropout;
  config.padded = true;
  config.composite = true;
  config.optimizer.fused = false;
  config.optimizer.clip = 0;
  std::vector<Rung> ladder = {{"reference: fp32, 32 pairs, padding", config}};
  int pairs = 32;
  const auto add = [&](const std::string& change) {
    ladder.push_back({change, config, pairs});
  };
  config.composite = false;
  add("fused loops between products");
  config.padded = false;
  add("no padding");
  config.logits_bytes = TrainerConfig().logits_bytes;
  add("logits in parts");
  config.optimizer.fused = true;
  add("one-pass optimiser");
  pairs = 256;
  config.micro_tokens = TrainerConfig().micro_tokens;
  add("256 pairs");
  config.compute = at::kBFloat16;
  add("bf16 products");
  config.workers = AvailableCores();
  config.threads_of_worker = 1;
  add("a worker a core");
  pairs = 512;
  add("512 pairs");
  return ladder;
}

void RunRung(const TrainBenchOptions& options, Rung* rung) {
  Trainer trainer(rung->config);
  trainer.parameters().Initialise(1);
  int64_t steps = 0;
  // Trains for so long; returns tokens a second.
  const auto run = [&](double seconds) {
    const int64_t start = Clock::Real().NowUs(), first = steps;
    double passed = 0;
    int64_t tokens = 0;
    while (passed < seconds || steps < first + kLeastSteps) {
      ++steps;
      const Batch batch = RandomPairs(rung->config.shape, rung->pairs,
                                      static_cast<uint64_t>(steps));
      tokens += trainer.Step(batch, steps, 1e-4).tokens;
      passed = static_cast<double>(Clock::Real().NowUs() - start) / 1e6;
    }
    return static_cast<double>(tokens) / passed;
  };
  // Warms caches and compiles products, one for every number of rows.
  run(options.seconds / 2);
  rung->rates.push_back(run(options.seconds));
}

double ProductPeak() {
  TrainerConfig tiny;
  tiny.shape = *PresetShape("tiny");
  Trainer trainer(tiny);
  return MeasureProductPeak(trainer.team(), at::kBFloat16, at::kCPU);
}

}  // namespace

absl::Status RunTrainBench(const TrainBenchOptions& options,
                           std::ostream& out) {
  if (options.preset != "small" && options.preset != "base") {
    return absl::InvalidArgumentError(fmt::format(
        "--preset has to be small or base, not '{}'", options.preset));
  }
  if (options.rounds < 1) {
    return absl::InvalidArgumentError("--rounds has to be at least 1");
  }
  ASSIGN_OR_RETURN(const BartShape shape,
                   PresetShape(options.preset == "small" ? "bench" : "base"));
  std::vector<Rung> ladder = Ladder(shape);
  // As often as the rungs: what a shared machine can do changes.
  std::vector<double> peaks;
  for (int round = 0; round < options.rounds; ++round) {
    for (Rung& rung : ladder) {
      RunRung(options, &rung);
      LogInfo("round {}: {}: {:.0f} tokens/s", round + 1, rung.change,
              rung.rates.back());
    }
    peaks.push_back(ProductPeak());
    LogInfo("round {}: products reach {:.0f} GFLOP/s", round + 1,
            peaks.back() / 1e9);
  }
  const double peak = Median(peaks);
  const double ours = ladder.front().median();
  const double reference = std::max(ours, options.rival_tokens_per_s);
  const double reached = ladder.back().median();
  const double flops = 0.5 * (TrainingFlopsPerSourceToken(shape) +
                              TrainingFlopsPerTargetToken(shape));
  const double mfu = reached * flops / peak;
  nlohmann::ordered_json rungs = nlohmann::ordered_json::array();
  double before = ours;
  if (!options.json) {
    out << fmt::format("{:<40} {:>10} {:>7}\n", "change", "tokens/s", "gain");
  }
  for (const Rung& rung : ladder) {
    const double rate = rung.median();
    rungs.push_back({{"change", rung.change},
                     {"tokens_per_s", rate},
                     {"gain", rate / before}});
    if (!options.json) {
      out << fmt::format("{:<40} {:>10.0f} {:>6.2f}x\n", rung.change, rate,
                         rate / before);
    }
    before = rate;
  }
  if (options.json) {
    out << nlohmann::ordered_json({{"preset", options.preset},
                                   {"reference_tokens_per_s", reference},
                                   {"tokens_per_s", reached},
                                   {"speedup", reached / reference},
                                   {"mfu", mfu},
                                   {"gemm_peak_gflops", peak / 1e9},
                                   {"ladder", rungs}})
               .dump()
        << "\n";
    return absl::OkStatus();
  }
  out << fmt::format(
      "\nreference {:.0f} tokens/s (ours {:.0f}, rival {:.0f}); {:.2f} times "
      "as fast\n{:.2f} MFLOP a useful token; {:.0f} of {:.0f} GFLOP/s: MFU "
      "{:.1f} %\n",
      reference, ours, options.rival_tokens_per_s, reached / reference,
      flops / 1e6, reached * flops / 1e9, peak / 1e9, 100 * mfu);
  return absl::OkStatus();
}

}  // namespace quaver
