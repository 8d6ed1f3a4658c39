// See fit_corrector.h.
#include "quaver/eval/fit_corrector.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numbers>
#include <numeric>
#include <span>

#include <fmt/ranges.h>

#include "quaver/base/hash.h"
#include "quaver/eval/table.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

constexpr size_t F = kNumReadingFeatures;
constexpr size_t H = kNumReadingUnits;
// The weights as one vector: linear [F], units [H, F], biases [H], outputs [H].
constexpr size_t kUnits = F, kBiases = kUnits + H * F, kOutputs = kBiases + H,
                 kNumWeights = kOutputs + H;

// Sets weigh alike, but the three of right queries that are no whole names: at
// half the weight clean_prefix loses 0.4 points; hard, word and prefix gain it.
constexpr double kRightWeight = 0.5;

double WeightOf(const QuerySet& set) {
  const auto kind = ParseSetKind(set.name);
  const bool is_right = kind.ok() && IsClean(*kind) && *kind != SetKind::kClean;
  return (is_right ? kRightWeight : 1) / static_cast<double>(set.rows.size());
}

struct FitRow {
  std::string set;
  std::vector<ReadingFeatures> features;
  std::vector<char> right;
  double weight = 1;

  bool HasRight() const {
    return std::find(right.begin(), right.end(), 1) != right.end();
  }
};

void WriteLine(const FitRow& row, const QueryRow& query, bool train,
               const Correction& correction, std::ofstream& file) {
  nlohmann::json line = {{"set", row.set},
                         {"train", train},
                         {"query", query.query},
                         {"wanted", query.corrected}};
  for (size_t i = 0; i < row.right.size(); ++i) {
    line["readings"].push_back({{"text", correction.readings[i].text},
                                {"right", row.right[i] != 0},
                                {"features", row.features[i]}});
  }
  file << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
       << '\n';
}

absl::StatusOr<std::vector<FitRow>> Collect(const FitCorrectorConfig& config,
                                            const std::vector<QuerySet>& sets,
                                            bool train, std::ofstream* file) {
  std::vector<FitRow> rows;
  for (const QuerySet& set : sets) {
    for (const QueryRow& query : set.rows) {
      const auto correction = config.correct(query.query);
      if (!correction.ok()) {
        return Annotate(correction.status(),
                        fmt::format("{}, query '{}'", set.name, query.query));
      }
      const std::string wanted = ComparableText(query.corrected);
      FitRow row = {.set = set.name, .weight = WeightOf(set)};
      for (const WeighedReading& reading : correction->readings) {
        ReadingFeatures& features = row.features.emplace_back();
        std::copy_n(reading.features.begin(), F, features.begin());
        row.right.push_back(ComparableText(reading.text) == wanted);
      }
      if (row.right.empty()) continue;  // too short or too long a query
      if (file != nullptr) WriteLine(row, query, train, *correction, *file);
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

ReadingWeights Unpack(const std::vector<double>& weights) {
  ReadingWeights unpacked;
  for (size_t f = 0; f < F; ++f) {
    unpacked.linear[f] = static_cast<float>(weights[f]);
  }
  for (size_t h = 0; h < H; ++h) {
    for (size_t f = 0; f < F; ++f) {
      unpacked.units[h][f] = static_cast<float>(weights[kUnits + h * F + f]);
    }
    unpacked.biases[h] = static_cast<float>(weights[kBiases + h]);
    unpacked.outputs[h] = static_cast<float>(weights[kOutputs + h]);
  }
  return unpacked;
}

// A reading's score and what it takes to go back.
struct Scored {
  double score = 0;
  double units[H] = {};
};

Scored Score(const std::vector<double>& weights, const ReadingFeatures& x) {
  Scored scored;
  for (size_t f = 0; f < F; ++f) scored.score += weights[f] * x[f];
  for (size_t h = 0; h < H; ++h) {
    double sum = weights[kBiases + h];
    for (size_t f = 0; f < F; ++f) sum += weights[kUnits + h * F + f] * x[f];
    scored.units[h] = std::tanh(sum);
    scored.score += weights[kOutputs + h] * scored.units[h];
  }
  return scored;
}

void AddGradient(const std::vector<double>& weights, const ReadingFeatures& x,
                 const Scored& scored, double slope,
                 std::vector<double>& gradient) {
  for (size_t f = 0; f < F; ++f) gradient[f] += slope * x[f];
  for (size_t h = 0; h < H; ++h) {
    const double unit = scored.units[h];
    gradient[kOutputs + h] += slope * unit;
    const double inner = slope * weights[kOutputs + h] * (1 - unit * unit);
    gradient[kBiases + h] += inner;
    for (size_t f = 0; f < F; ++f) gradient[kUnits + h * F + f] += inner * x[f];
  }
}

std::vector<double> Softmax(const std::vector<Scored>& scored) {
  double greatest = scored[0].score;
  for (const Scored& one : scored) greatest = std::max(greatest, one.score);
  std::vector<double> shares;
  double sum = 0;
  for (const Scored& one : scored) {
    sum += shares.emplace_back(std::exp(one.score - greatest));
  }
  for (double& share : shares) share /= sum;
  return shares;
}

// Of one query; adds to the gradient.
double Loss(const std::vector<double>& weights, const FitRow& row,
            double weight, std::vector<double>& gradient) {
  std::vector<Scored> scored;
  for (const ReadingFeatures& x : row.features) {
    scored.push_back(Score(weights, x));
  }
  const std::vector<double> shares = Softmax(scored);
  double right = 1e-12;
  for (size_t i = 0; i < shares.size(); ++i) {
    if (row.right[i] != 0) right += shares[i];
  }
  for (size_t i = 0; i < shares.size(); ++i) {
    const double wanted = row.right[i] != 0 ? shares[i] / right : 0;
    AddGradient(weights, row.features[i], scored[i],
                weight * (shares[i] - wanted), gradient);
  }
  return -weight * std::log(right);
}

// Divides features by their spread, so that one rate fits all.
std::vector<float> Scale(std::vector<FitRow>& rows) {
  std::vector<double> sum(F), square(F);
  double count = 0;
  for (const FitRow& row : rows) {
    for (const ReadingFeatures& x : row.features) {
      ++count;
      for (size_t f = 0; f < F; ++f) {
        sum[f] += x[f];
        square[f] += static_cast<double>(x[f]) * x[f];
      }
    }
  }
  std::vector<float> scales(F, 1);
  for (size_t f = 0; f < F; ++f) {
    const double mean = sum[f] / count;
    const double variance = square[f] / count - mean * mean;
    if (variance > 1e-9) scales[f] = static_cast<float>(std::sqrt(variance));
  }
  for (FitRow& row : rows) {
    for (ReadingFeatures& x : row.features) {
      for (size_t f = 0; f < F; ++f) x[f] /= scales[f];
    }
  }
  return scales;
}

// Of rows with scaled features; returns the last loss.
double Descend(const FitCorrectorConfig& config,
               const std::vector<FitRow>& rows, std::vector<double>& weights) {
  double total = 0;
  for (const FitRow& row : rows) total += row.weight;
  std::vector<double> momentum(kNumWeights), spread(kNumWeights);
  double loss = 0;
  for (int step = 1; step <= config.steps; ++step) {
    std::vector<double> gradient(kNumWeights);
    loss = 0;
    for (const FitRow& row : rows) {
      loss += Loss(weights, row, row.weight / total, gradient);
    }
    const double rate = config.learning_rate * 0.5 *
                        (1 + std::cos(std::numbers::pi * step / config.steps));
    for (size_t i = 0; i < kNumWeights; ++i) {
      momentum[i] = 0.9 * momentum[i] + 0.1 * gradient[i];
      spread[i] = 0.999 * spread[i] + 0.001 * gradient[i] * gradient[i];
      const double m = momentum[i] / (1 - std::pow(0.9, step));
      const double v = spread[i] / (1 - std::pow(0.999, step));
      weights[i] -= rate * (m / (std::sqrt(v) + 1e-10) +
                            config.weight_decay * weights[i]);
    }
  }
  return loss;
}

void Measure(const std::vector<FitRow>& held, FitCorrectorReport& report) {
  std::vector<double> ceiling;
  std::map<std::string, std::vector<double>> by_set;
  report.calibration.resize(10);
  for (const FitRow& row : held) {
    std::vector<float> scores;
    for (const ReadingFeatures& x : row.features) {
      scores.push_back(ReadingScore(x, report.weights));
    }
    const std::vector<float> shares = Probabilities(scores);
    const auto best = std::max_element(shares.begin(), shares.end());
    const bool right = row.right[static_cast<size_t>(best - shares.begin())];
    by_set[row.set].push_back(right);
    by_set["all"].push_back(right);
    ceiling.push_back(row.HasRight());
    auto& bin =
        report.calibration[static_cast<size_t>(std::min(9.0f, 10 * *best))];
    ++bin.rows;
    bin.probability += *best;
    bin.right += right;
  }
  for (auto& bin : report.calibration) {
    if (bin.rows == 0) continue;
    bin.probability /= static_cast<double>(bin.rows);
    bin.right /= static_cast<double>(bin.rows);
  }
  for (const auto& [set, right] : by_set) {
    report.held_right.emplace_back(set, BootstrapMean(right, 1));
  }
  report.held_ceiling = BootstrapMean(ceiling, 1);
}

}  // namespace

absl::StatusOr<FitCorrectorReport> FitCorrector(
    const FitCorrectorConfig& config) {
  std::ofstream file;
  if (!config.features_file.empty()) {
    file.open(config.features_file);
    if (!file) {
      return absl::InvalidArgumentError(
          fmt::format("{} cannot be written", config.features_file));
    }
  }
  std::ofstream* out = file.is_open() ? &file : nullptr;
  ASSIGN_OR_RETURN(auto train, Collect(config, config.train, true, out));
  ASSIGN_OR_RETURN(const auto held, Collect(config, config.held, false, out));
  if (out != nullptr && !file.flush()) {
    return absl::ResourceExhaustedError(
        fmt::format("{} could not be written whole", config.features_file));
  }
  std::erase_if(train, [](const FitRow& row) {
    return !row.HasRight() || row.right.size() == 1;
  });
  if (train.empty()) {
    return absl::FailedPreconditionError(
        "nothing to fit: no training query has a right reading and a wrong "
        "one");
  }
  const std::vector<float> scales = Scale(train);
  FitCorrectorReport report = {.train_queries = train.size()};
  std::vector<double> weights(kNumWeights), unused(kNumWeights);
  double total = 0;
  for (const FitRow& row : train) {
    total += row.weight;
    report.train_loss_before += Loss(weights, row, row.weight, unused);
  }
  report.train_loss_before /= total;
  Random random(config.seed, 0);
  for (size_t i = kUnits; i < kBiases; ++i) {
    weights[i] = 0.3 * random.Normal();
  }
  report.train_loss = Descend(config, train, weights);
  for (size_t f = 0; f < F; ++f) {
    weights[f] /= scales[f];
    for (size_t h = 0; h < H; ++h) weights[kUnits + h * F + f] /= scales[f];
  }
  report.weights = Unpack(weights);
  Measure(held, report);
  return report;
}

std::string WeightsSource(const ReadingWeights& weights) {
  const auto list = [](std::span<const float> values) {
    std::vector<std::string> texts;
    for (const float value : values) {
      texts.push_back(fmt::format("{:.3f}f", value));
    }
    return fmt::format("{{{}}}", fmt::join(texts, ", "));
  };
  std::vector<std::string> units;
  for (const ReadingFeatures& unit : weights.units) units.push_back(list(unit));
  return fmt::format(
      "inline constexpr ReadingWeights kReadingWeights = {{\n"
      ".linear = {},\n.units = {{{{{}}}}},\n.biases = {},\n.outputs = {}}};\n",
      list(weights.linear), fmt::join(units, ",\n"), list(weights.biases),
      list(weights.outputs));
}

nlohmann::json ToJson(const FitCorrectorReport& report) {
  nlohmann::json json = {{"train_queries", report.train_queries},
                         {"train_loss_before", report.train_loss_before},
                         {"train_loss", report.train_loss},
                         {"held_ceiling", ToJson(report.held_ceiling)},
                         {"source", WeightsSource(report.weights)}};
  for (const auto& [set, right] : report.held_right) {
    json["held_right"][set] = ToJson(right);
  }
  for (const auto& bin : report.calibration) {
    json["calibration"].push_back({{"rows", bin.rows},
                                   {"probability", bin.probability},
                                   {"right", bin.right}});
  }
  return json;
}

std::string ToMarkdown(const FitCorrectorReport& report) {
  std::vector<std::vector<std::string>> sets = {
      {"held out", "likeliest is right %"}};
  for (const auto& [set, right] : report.held_right) {
    sets.push_back({set, PercentCell(right)});
  }
  sets.push_back({"a right one is there", PercentCell(report.held_ceiling)});
  std::vector<std::vector<std::string>> bins = {
      {"queries", "mean probability", "right"}};
  for (const auto& bin : report.calibration) {
    if (bin.rows == 0) continue;
    bins.push_back({std::to_string(bin.rows),
                    fmt::format("{:.2f}", bin.probability),
                    fmt::format("{:.2f}", bin.right)});
  }
  return fmt::format("{}\n{}\n{} queries, loss {:.4f} -> {:.4f}.\n\n{}",
                     MarkdownTable(sets), MarkdownTable(bins),
                     report.train_queries, report.train_loss_before,
                     report.train_loss, WeightsSource(report.weights));
}

}  // namespace quaver
