// See beam_search.h.
#include "quaver/engine/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/engine/internal/token_rules.h"

namespace quaver {
namespace {

// Worse than any answer: of beams that do not count.
constexpr float kHopeless = -1e9f;
constexpr float kNever = -std::numeric_limits<float>::infinity();

struct Beam {
  std::vector<int32_t> tokens;  // the decoder's start first
  std::vector<uint32_t> slots;  // of all tokens but the last
  float score = kHopeless;      // sum of logarithms
};

struct Answer {
  std::vector<int32_t> tokens;
  float score = kHopeless;  // with the length's penalty
  bool whole = false;
};

// A beam with one token more.
struct Candidate {
  size_t beam = 0;
  int32_t token = 0;
  float score = 0;
  bool ends = false;
};

// Numbers of the `count` greatest, greatest first; of equal ones the first.
std::vector<size_t> Greatest(std::span<const float> values, size_t count) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  count = std::min(count, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
      order.end(), [&](size_t a, size_t b) {
        return std::pair(-values[a], a) < std::pair(-values[b], b);
      });
  order.resize(count);
  return order;
}

float Penalty(size_t length, float exponent) {
  return std::pow(static_cast<float>(length), exponent);
}

}  // namespace

struct BeamSearch::Impl {
  Impl(const BartModel& model_, int max_beams_, const GeneratorLimits& limits_)
      : model(model_),
        max_beams(max_beams_),
        limits(limits_),
        num_slots(static_cast<size_t>(max_beams) *
                  static_cast<size_t>(limits.max_target_tokens)),
        cache(model,
              {static_cast<size_t>(limits.max_source_tokens), num_slots}),
        workspace(model, static_cast<size_t>(
                             std::max(max_beams, limits.max_source_tokens))) {
    QUAVER_CHECK(max_beams > 0 && limits.max_source_tokens > 0 &&
                 limits.max_target_tokens > 1);
    QUAVER_CHECK(std::max(limits.max_source_tokens, limits.max_target_tokens) <=
                 model.config().max_positions);
  }

  // The logarithms of probabilities after each beam, banned and forced, plus
  // the beam's score: [beams, V].
  void Score(const BeamOptions& options, size_t source_tokens);
  std::vector<Candidate> BestCandidates(size_t count) const;
  void Continue(const std::vector<Candidate>& candidates);
  void Finish(const BeamOptions& options,
              const std::vector<Candidate>& candidates);
  // Whether a running beam could still be better than an answer.
  bool MayImprove(const BeamOptions& options) const;

  const BartModel& model;
  const int max_beams;
  const GeneratorLimits limits;
  const size_t num_slots;
  BartCache cache;
  BartWorkspace workspace;
  std::vector<float> scores;
  std::vector<Beam> beams;
  std::vector<Answer> answers;
  bool may_improve = true;
};

void BeamSearch::Impl::Score(const BeamOptions& options, size_t source_tokens) {
  const BartConfig& config = model.config();
  const auto V = static_cast<size_t>(config.vocab_size);
  std::vector<bool> used(num_slots);
  for (const Beam& beam : beams) {
    for (const uint32_t slot : beam.slots) used[slot] = true;
  }
  std::vector<int32_t> tokens;
  std::vector<uint32_t> positions, slots, seen, seen_offsets = {0};
  size_t next = 0;
  for (Beam& beam : beams) {
    while (used[next]) ++next;
    beam.slots.push_back(static_cast<uint32_t>(next++));
    tokens.push_back(beam.tokens.back());
    positions.push_back(static_cast<uint32_t>(beam.tokens.size()) - 1);
    slots.push_back(beam.slots.back());
    seen.insert(seen.end(), beam.slots.begin(), beam.slots.end());
    seen_offsets.push_back(static_cast<uint32_t>(seen.size()));
  }
  const std::vector<uint32_t> begins(beams.size(), 0);
  const std::vector<uint32_t> ends(beams.size(),
                                   static_cast<uint32_t>(source_tokens));
  scores.resize(beams.size() * V);
  model.Decode({tokens, positions, slots, seen, seen_offsets, begins, ends},
               workspace, cache, scores);
  for (size_t b = 0; b < beams.size(); ++b) {
    const auto own = std::span(scores).subspan(b * V, V);
    const auto forced =
        ForcedToken(config, options.generation, beams[b].tokens.size());
    if (forced) {
      std::fill(own.begin(), own.end(), kNever);
      own[static_cast<size_t>(*forced)] = beams[b].score;
      continue;
    }
    const RowSummary row = model.kernels().dense.summarise(own.data(), V);
    const float sum = row.greatest[0] + std::log(row.sum);
    ForEachBanned(
        config, options.generation, beams[b].tokens,
        [&](int32_t token) { own[static_cast<size_t>(token)] = kNever; });
    for (float& score : own) score = score - sum + beams[b].score;
  }
}

std::vector<Candidate> BeamSearch::Impl::BestCandidates(size_t count) const {
  const auto V = static_cast<size_t>(model.config().vocab_size);
  std::vector<Candidate> candidates;
  for (const size_t i : Greatest(scores, count)) {
    candidates.push_back({i / V, static_cast<int32_t>(i % V), scores[i]});
  }
  return candidates;
}

// The best that do not end become the beams; others only for want of them.
void BeamSearch::Impl::Continue(const std::vector<Candidate>& candidates) {
  std::vector<float> running;
  for (const Candidate& one : candidates) {
    running.push_back(one.ends ? one.score + kHopeless : one.score);
  }
  std::vector<Beam> next;
  for (const size_t i : Greatest(running, beams.size())) {
    Beam beam = beams[candidates[i].beam];
    beam.tokens.push_back(candidates[i].token);
    beam.score = running[i];
    next.push_back(std::move(beam));
  }
  beams = std::move(next);
}

// Takes up answers that ended just now, if they were among the first
// num_beams.
void BeamSearch::Impl::Finish(const BeamOptions& options,
                              const std::vector<Candidate>& candidates) {
  const bool full =
      options.stop == BeamOptions::Stop::kAll &&
      std::all_of(answers.begin(), answers.end(),
                  [](const Answer& answer) { return answer.whole; });
  std::vector<Answer> all = answers;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& one = candidates[i];
    const Beam& beam = beams[one.beam];
    Answer answer;
    answer.tokens = beam.tokens;
    answer.tokens.push_back(one.token);
    answer.whole = one.ends && i < beams.size();
    answer.score =
        one.score / Penalty(beam.tokens.size(), options.length_penalty);
    if (full) answer.score += kHopeless;
    if (!may_improve) answer.score += kHopeless;
    if (!answer.whole) answer.score += kHopeless;
    all.push_back(std::move(answer));
  }
  std::vector<float> by_score;
  for (const Answer& answer : all) by_score.push_back(answer.score);
  std::vector<Answer> kept;
  for (const size_t i : Greatest(by_score, answers.size())) {
    kept.push_back(std::move(all[i]));
  }
  answers = std::move(kept);
}

bool BeamSearch::Impl::MayImprove(const BeamOptions& options) const {
  const bool longest =
      options.stop == BeamOptions::Stop::kNever && options.length_penalty > 0;
  const size_t length =
      longest ? static_cast<size_t>(options.generation.max_new_tokens)
              : beams[0].tokens.size() - 1;
  const float best = beams[0].score / Penalty(length, options.length_penalty);
  return std::any_of(answers.begin(), answers.end(), [&](const Answer& one) {
    return best > (one.whole ? answers.back().score : kHopeless);
  });
}

BeamSearch::BeamSearch(const BartModel& model, int max_beams,
                       const GeneratorLimits& limits)
    : impl_(std::make_unique<Impl>(model, max_beams, limits)) {}
BeamSearch::~BeamSearch() = default;

absl::StatusOr<std::vector<Generated>> BeamSearch::Run(
    std::span<const int32_t> source, const BeamOptions& given) {
  Impl& impl = *impl_;
  const BartConfig& config = impl.model.config();
  BeamOptions options = given;
  RETURN_IF_ERROR(CheckTokens(
      "the source", source, static_cast<size_t>(impl.limits.max_source_tokens),
      config.vocab_size));
  ASSIGN_OR_RETURN(
      options.generation,
      CheckOptions(options.generation, impl.limits.max_target_tokens));
  if (options.num_beams < 1 || options.num_beams > impl.max_beams ||
      options.num_answers < 1 || options.num_answers > options.num_beams) {
    return absl::InvalidArgumentError(
        fmt::format("{} beams and {} answers: there may be 1 to {} beams, and "
                    "at most as many answers",
                    options.num_beams, options.num_answers, impl.max_beams));
  }
  const uint32_t offsets[] = {0, static_cast<uint32_t>(source.size())};
  const uint32_t first = 0;
  impl.model.Encode({source, offsets}, {&first, 1}, impl.workspace, impl.cache);
  const auto B = static_cast<size_t>(options.num_beams);
  const std::vector<int32_t> start = {config.decoder_start_id};
  impl.beams.assign(B, {start, {}, kHopeless});
  impl.beams[0].score = 0;  // so that not all say the same
  impl.answers.assign(B, {start, kHopeless, false});
  impl.may_improve = true;
  int passes = 0;
  bool going = true;
  while (going) {
    impl.Score(options, source.size());
    ++passes;
    // Twice as many, so that enough go on where all the best end.
    auto candidates = impl.BestCandidates(2 * B);
    bool all_end = true;
    for (Candidate& one : candidates) {
      one.ends = one.token == config.eos_id ||
                 static_cast<int>(impl.beams[one.beam].tokens.size()) >=
                     options.generation.max_new_tokens;
      all_end = all_end && one.ends;
    }
    impl.Finish(options, candidates);
    impl.Continue(candidates);
    impl.may_improve = impl.may_improve && impl.MayImprove(options);
    const bool full =
        std::all_of(impl.answers.begin(), impl.answers.end(),
                    [](const Answer& answer) { return answer.whole; });
    going = impl.may_improve && !all_end &&
            !(full && options.stop == BeamOptions::Stop::kAll);
  }
  std::vector<Generated> best;
  for (int i = 0; i < options.num_answers; ++i) {
    const Answer& answer = impl.answers[static_cast<size_t>(i)];
    best.push_back({0, answer.tokens, answer.score, passes});
  }
  return best;
}

}  // namespace quaver
