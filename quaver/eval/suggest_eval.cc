// Suggestions after the first letters of famous titles.
#include "quaver/eval/suggest_eval.h"

#include <unordered_set>

#include "quaver/base/clock.h"
#include "quaver/eval/table.h"
#include "quaver/text/compare.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

struct Target {
  std::string title;  // comparable, not empty
  std::string artist;
};

std::vector<Target> BestKnown(std::span<const TrackName> tracks,
                              size_t num_titles) {
  std::vector<Target> targets;
  std::unordered_set<std::string> seen;
  for (const TrackName& track : tracks) {
    if (targets.size() == num_titles) break;
    std::string title = ComparableText(track.title);
    if (title.empty() || !seen.insert(title).second) continue;
    targets.push_back({std::move(title), ComparableText(track.artist)});
  }
  return targets;
}

bool IsAmong(const Target& target, const std::vector<Suggestion>& suggestions,
             size_t count) {
  for (size_t i = 0; i < std::min(count, suggestions.size()); ++i) {
    const Suggestion& one = suggestions[i];
    if (one.type == EntityType::kTrack &&
        ComparableText(one.title) == target.title &&
        ComparableText(one.artist) == target.artist) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<SuggestFigures> RunLetters(const std::vector<Target>& targets,
                                          int letters,
                                          const SuggestFunction& suggest,
                                          const SuggestEvalConfig& config) {
  std::vector<double> found, times;
  for (const Target& target : targets) {
    const std::string prefix = FirstLetters(target.title, letters);
    const Stopwatch watch;
    auto suggestions = suggest(prefix);
    times.push_back(static_cast<double>(watch.ElapsedUs()));
    if (!suggestions.ok()) {
      return Annotate(suggestions.status(),
                      fmt::format("suggestions for '{}'", prefix));
    }
    found.push_back(IsAmong(target, *suggestions, config.num_suggestions));
  }
  return SuggestFigures{letters,
                        found.size(),
                        BootstrapMean(found, config.seed),
                        Percentile(times, 0.5),
                        Percentile(times, 0.9),
                        Percentile(times, 0.99)};
}

}  // namespace

std::string FirstLetters(std::string_view title, int num_letters) {
  const std::u32string text = ToCodePoints(ComparableText(title));
  size_t end = 0;
  for (int letters = 0; end < text.size() && letters < num_letters; ++end) {
    if (text[end] != U' ') ++letters;
  }
  return ToUtf8(std::u32string_view(text).substr(0, end));
}

absl::StatusOr<SuggestReport> RunSuggestEval(std::span<const TrackName> tracks,
                                             const SuggestFunction& suggest,
                                             const SuggestEvalConfig& config) {
  const std::vector<Target> targets = BestKnown(tracks, config.num_titles);
  SuggestReport report;
  for (const int letters : config.letters) {
    ASSIGN_OR_RETURN(SuggestFigures figures,
                     RunLetters(targets, letters, suggest, config));
    report.figures.push_back(figures);
  }
  return report;
}

nlohmann::json ToJson(const SuggestReport& report) {
  nlohmann::json json = nlohmann::json::array();
  for (const SuggestFigures& figures : report.figures) {
    json.push_back({{"letters", figures.letters},
                    {"rows", figures.rows},
                    {"found", ToJson(figures.found)},
                    {"p50_us", figures.p50_us},
                    {"p90_us", figures.p90_us},
                    {"p99_us", figures.p99_us}});
  }
  return json;
}

std::string ToMarkdown(const SuggestReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"letters typed", "titles", "found %", "p50 ms", "p90 ms", "p99 ms"}};
  for (const SuggestFigures& figures : report.figures) {
    rows.push_back({std::to_string(figures.letters),
                    std::to_string(figures.rows), PercentCell(figures.found),
                    fmt::format("{:.2f}", figures.p50_us / 1e3),
                    fmt::format("{:.2f}", figures.p90_us / 1e3),
                    fmt::format("{:.2f}", figures.p99_us / 1e3)});
  }
  return MarkdownTable(rows);
}

}  // namespace quaver
