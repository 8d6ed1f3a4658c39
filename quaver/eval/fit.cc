// Listwise softmax by Adam over plain arrays.
#include "quaver/eval/fit.h"

#include <algorithm>
#include <cmath>

#include "quaver/eval/table.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

// Adam's usual constants (Kingma & Ba 2015).
constexpr double kMomentum = 0.9;
constexpr double kSquareMomentum = 0.999;
constexpr double kTiny = 1e-8;
constexpr double kPi = 3.14159265358979323846;

struct Adam {
  std::vector<double> mean;
  std::vector<double> square;

  void Step(int step, double rate, const std::vector<double>& gradient,
            std::vector<double>& weights) {
    const double mean_bias = 1 - std::pow(kMomentum, step);
    const double square_bias = 1 - std::pow(kSquareMomentum, step);
    for (size_t i = 0; i < weights.size(); ++i) {
      mean[i] += (1 - kMomentum) * (gradient[i] - mean[i]);
      square[i] +=
          (1 - kSquareMomentum) * (gradient[i] * gradient[i] - square[i]);
      weights[i] -= rate * (mean[i] / mean_bias) /
                    (std::sqrt(square[i] / square_bias) + kTiny);
    }
  }
};

double Score(const float* features, const std::vector<double>& weights) {
  double score = 0;
  for (size_t i = 0; i < weights.size(); ++i) score += weights[i] * features[i];
  return score;
}

// Turns scores into their exponentials relative to the greatest; returns the
// sums over all and over the right ones.
std::pair<double, double> Exponentials(std::span<double> scores,
                                       const char* right) {
  const double top = *std::max_element(scores.begin(), scores.end());
  double all = 0;
  double of_right = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    scores[i] = std::exp(scores[i] - top);
    all += scores[i];
    if (right[i]) of_right += scores[i];
  }
  // Keeps the logarithm finite when a right one is hopeless.
  return {all, std::max(of_right, 1e-300)};
}

// How many ranks are from 1 to `last`, as a list of 0 and 1.
std::vector<double> Within(const std::vector<size_t>& ranks, size_t last) {
  std::vector<double> within;
  for (const size_t rank : ranks) within.push_back(rank > 0 && rank <= last);
  return within;
}

}  // namespace

RankingFitter::RankingFitter(std::vector<std::string> names)
    : names_(std::move(names)) {}

absl::Status RankingFitter::Add(const FitQuery& query) {
  size_t right = 0;
  for (const FitCandidate& candidate : query.candidates) {
    const bool finite =
        std::all_of(candidate.features.begin(), candidate.features.end(),
                    [](float value) { return std::isfinite(value); });
    if (candidate.features.size() != names_.size() || !finite) {
      return absl::InvalidArgumentError(fmt::format(
          "a candidate needs {} finite features, got {}: {}", names_.size(),
          candidate.features.size(), fmt::join(candidate.features, " ")));
    }
    right += candidate.right ? 1 : 0;
  }
  if (query.train && (right == 0 || right == query.candidates.size())) {
    return absl::OkStatus();
  }
  Data& data = query.train ? train_ : held_;
  const size_t begin = data.right.size();
  for (const FitCandidate& candidate : query.candidates) {
    data.features.insert(data.features.end(), candidate.features.begin(),
                         candidate.features.end());
    data.right.push_back(candidate.right);
  }
  data.queries.push_back({begin, data.right.size(), query.weight});
  return absl::OkStatus();
}

// The deviation of each feature from its query's mean, over all candidates:
// differences between queries do not rank. 1 where a feature never differs.
std::vector<double> RankingFitter::Scales() const {
  const size_t F = names_.size();
  std::vector<double> squares(F);
  for (const Query& query : train_.queries) {
    const auto count = static_cast<double>(query.end - query.begin);
    for (size_t f = 0; f < F; ++f) {
      double sum = 0;
      double square = 0;
      for (size_t i = query.begin; i < query.end; ++i) {
        const double value = train_.features[i * F + f];
        sum += value;
        square += value * value;
      }
      squares[f] += std::max(0.0, square - sum * sum / count);
    }
  }
  std::vector<double> scales(F);
  for (size_t f = 0; f < F; ++f) {
    const double deviation =
        std::sqrt(squares[f] / static_cast<double>(train_.right.size()));
    scales[f] = deviation > 1e-9 ? deviation : 1;
  }
  return scales;
}

double RankingFitter::LossAndGradient(const std::vector<float>& features,
                                      const std::vector<double>& weights,
                                      std::vector<double>& gradient) const {
  const size_t F = names_.size();
  std::fill(gradient.begin(), gradient.end(), 0);
  double loss = 0;
  double total_weight = 0;
  std::vector<double> scores;
  for (const Query& query : train_.queries) {
    scores.clear();
    for (size_t i = query.begin; i < query.end; ++i) {
      scores.push_back(Score(&features[i * F], weights));
    }
    const char* right = &train_.right[query.begin];
    const auto [all, of_right] = Exponentials(scores, right);
    loss += query.weight * std::log(all / of_right);
    total_weight += query.weight;
    for (size_t i = 0; i < scores.size(); ++i) {
      const double pull =
          scores[i] / all - (right[i] ? scores[i] / of_right : 0);
      const float* x = &features[(query.begin + i) * F];
      for (size_t f = 0; f < F; ++f) gradient[f] += query.weight * pull * x[f];
    }
  }
  for (double& value : gradient) value /= total_weight;
  return loss / total_weight;
}

double RankingFitter::Descend(const std::vector<float>& features,
                              const FitConfig& config,
                              std::vector<double>& weights) const {
  const size_t F = names_.size();
  Adam adam = {std::vector<double>(F), std::vector<double>(F)};
  std::vector<double> gradient(F);
  for (int step = 1; step <= config.steps; ++step) {
    LossAndGradient(features, weights, gradient);
    for (size_t f = 0; f < F; ++f) gradient[f] += 2 * config.l2 * weights[f];
    const double done = static_cast<double>(step - 1) / config.steps;
    const double rate = config.learning_rate * 0.5 * (1 + std::cos(kPi * done));
    adam.Step(step, rate, gradient, weights);
  }
  return LossAndGradient(features, weights, gradient);
}

// The rank of each query's first right candidate, equals in their order; 0
// where there is none.
std::vector<size_t> RankingFitter::Ranks(
    const Data& data, const std::vector<double>& weights) const {
  const size_t F = names_.size();
  std::vector<size_t> ranks;
  for (const Query& query : data.queries) {
    std::vector<std::pair<double, bool>> order;
    for (size_t i = query.begin; i < query.end; ++i) {
      order.emplace_back(Score(&data.features[i * F], weights), data.right[i]);
    }
    std::stable_sort(
        order.begin(), order.end(),
        [](const auto& a, const auto& b) { return a.first > b.first; });
    const auto first = std::find_if(order.begin(), order.end(),
                                    [](const auto& x) { return x.second; });
    ranks.push_back(first == order.end()
                        ? 0
                        : static_cast<size_t>(first - order.begin()) + 1);
  }
  return ranks;
}

void RankingFitter::Measure(FitReport& report) const {
  constexpr uint64_t kSeed = 1;
  const auto train = Ranks(train_, report.weights);
  const auto held = Ranks(held_, report.weights);
  report.train_queries = train.size();
  report.held_queries = held.size();
  report.train_success_at_1 = BootstrapMean(Within(train, 1), kSeed);
  report.held_success_at_1 = BootstrapMean(Within(held, 1), kSeed);
  report.held_success_at_10 = BootstrapMean(Within(held, 10), kSeed);
  report.held_ceiling = BootstrapMean(Within(held, SIZE_MAX), kSeed);
}

absl::StatusOr<FitReport> RankingFitter::Fit(const FitConfig& config) const {
  if (train_.queries.empty()) {
    return absl::FailedPreconditionError(
        "nothing to fit: no training query has both a right and a wrong "
        "candidate");
  }
  const size_t F = names_.size();
  const std::vector<double> scales = Scales();
  std::vector<float> scaled = train_.features;
  for (size_t i = 0; i < scaled.size(); ++i) {
    scaled[i] = static_cast<float>(scaled[i] / scales[i % F]);
  }
  FitReport report;
  report.names = names_;
  report.weights.resize(F);
  std::vector<double> gradient(F);
  report.train_loss_before = LossAndGradient(scaled, report.weights, gradient);
  report.train_loss = Descend(scaled, config, report.weights);
  double positive = 0;
  for (size_t f = 0; f < F; ++f) {
    report.weights[f] /= scales[f];
    positive += std::max(0.0, report.weights[f]);
  }
  if (positive > 0) report.sharpness = positive;
  for (double& weight : report.weights) weight /= report.sharpness;
  Measure(report);
  return report;
}

std::string WeightsTable(const FitReport& report) {
  std::string table;
  for (size_t i = 0; i < report.names.size(); ++i) {
    table += fmt::format("    {:.4f}f,  // {}\n", report.weights[i],
                         report.names[i]);
  }
  return table;
}

nlohmann::json ToJson(const FitReport& report) {
  nlohmann::json weights = nlohmann::json::object();
  for (size_t i = 0; i < report.names.size(); ++i) {
    weights[report.names[i]] = report.weights[i];
  }
  return {{"weights", std::move(weights)},
          {"sharpness", report.sharpness},
          {"train_queries", report.train_queries},
          {"held_queries", report.held_queries},
          {"train_loss_before", report.train_loss_before},
          {"train_loss", report.train_loss},
          {"train_success_at_1", ToJson(report.train_success_at_1)},
          {"held_success_at_1", ToJson(report.held_success_at_1)},
          {"held_success_at_10", ToJson(report.held_success_at_10)},
          {"held_ceiling", ToJson(report.held_ceiling)}};
}

std::string ToMarkdown(const FitReport& report) {
  const std::string summary = MarkdownTable(
      {{"queries", "rows", "success@1 %", "success@10 %", "among candidates %"},
       {"train", std::to_string(report.train_queries),
        PercentCell(report.train_success_at_1), "", ""},
       {"held out", std::to_string(report.held_queries),
        PercentCell(report.held_success_at_1),
        PercentCell(report.held_success_at_10),
        PercentCell(report.held_ceiling)}});
  return fmt::format("{}\nLoss {:.4f} -> {:.4f}, sharpness {:.2f}.\n\n{}",
                     summary, report.train_loss_before, report.train_loss,
                     report.sharpness, WeightsTable(report));
}

}  // namespace quaver
