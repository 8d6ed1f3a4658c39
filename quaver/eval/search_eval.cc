// Success at 1 and 10, exact fixes and latencies over query sets.
#include "quaver/eval/search_eval.h"

#include <algorithm>
#include <map>

#include "quaver/eval/table.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

constexpr size_t kRanks = 10;

// Times of stages over many answers, stages in order of first appearance.
class Timings {
 public:
  void Add(const SearchResponse& response) {
    int64_t without_model = 0;
    bool both = false;
    for (const auto& [stage, us] : response.timing_us) {
      Add(stage, us);
      if (stage == "retrieve" || stage == "rank") without_model += us;
      both |= stage == "rank";
    }
    if (both) Add("retrieve + rank", without_model);
  }

  std::vector<StageLatency> Summary() const {
    std::vector<StageLatency> summary;
    for (const std::string& stage : order_) {
      const std::vector<double>& us = times_.at(stage);
      summary.push_back({stage, Percentile(us, 0.5), Percentile(us, 0.9),
                         Percentile(us, 0.99)});
    }
    return summary;
  }

 private:
  void Add(const std::string& stage, int64_t us) {
    if (!times_.contains(stage)) order_.push_back(stage);
    times_[stage].push_back(static_cast<double>(us));
  }

  std::vector<std::string> order_;
  std::map<std::string, std::vector<double>> times_;
};

const std::vector<Hit>& Tracks(const SearchResponse& response) {
  static const std::vector<Hit> none;
  for (const Section& section : response.sections) {
    if (section.type == EntityType::kTrack) return section.hits;
  }
  return none;
}

Miss MakeMiss(const QueryRow& row, int rank, const SearchResponse& response) {
  const std::vector<Hit>& tracks = Tracks(response);
  if (tracks.empty()) return {row, rank, "", ""};
  return {row, rank, tracks[0].title, tracks[0].artist};
}

// Of every target of a set: is it first, is it among ten?
struct Found {
  std::vector<double> first;
  std::vector<double> tenth;
};

absl::StatusOr<SearchFigures> RunSet(const QuerySet& set,
                                     const SearchVariant& variant,
                                     const SearchEvalConfig& config,
                                     Timings& all_timings, Found& found) {
  SearchFigures figures = {.set = set.name, .variant = variant.name};
  std::vector<double> fixed;
  Timings timings;
  const size_t limit = config.max_rows == 0 ? set.rows.size() : config.max_rows;
  figures.rows = std::min(limit, set.rows.size());
  for (size_t i = 0; i < figures.rows; ++i) {
    const QueryRow& row = set.rows[i];
    auto response = variant.search(row.query);
    if (!response.ok()) {
      return Annotate(response.status(),
                      fmt::format("{}, query '{}'", set.name, row.query));
    }
    timings.Add(*response);
    all_timings.Add(*response);
    const Correction& correction = response->correction;
    const std::string& searched =
        correction.applied ? correction.text : response->query;
    fixed.push_back(ComparableText(searched) == ComparableText(row.corrected));
    if (row.artist.empty()) continue;  // only the correction counts
    const int rank = TargetRank(row, *response);
    found.first.push_back(rank == 1);
    found.tenth.push_back(rank > 0);
    if (rank != 1 && figures.misses.size() < config.max_misses) {
      figures.misses.push_back(MakeMiss(row, rank, *response));
    }
  }
  figures.targets = found.first.size();
  figures.exact_fix = BootstrapMean(fixed, config.seed);
  figures.success_at_1 = BootstrapMean(found.first, config.seed);
  figures.success_at_10 = BootstrapMean(found.tenth, config.seed);
  figures.latency = timings.Summary();
  return figures;
}

// Of the last of `variants` to each other one.
void AddDifferences(const QuerySet& set,
                    const std::vector<SearchVariant>& variants,
                    const std::vector<Found>& found, uint64_t seed,
                    SearchReport& report) {
  for (size_t i = 0; i + 1 < variants.size(); ++i) {
    const Found& last = found.back();
    report.differences.push_back(
        {set.name, variants.back().name, variants[i].name, last.first.size(),
         BootstrapDifference(last.first, found[i].first, seed),
         BootstrapDifference(last.tenth, found[i].tenth, seed)});
  }
}

nlohmann::json ToJson(const std::vector<StageLatency>& latency) {
  nlohmann::json json = nlohmann::json::object();
  for (const StageLatency& stage : latency) {
    json[stage.stage] = {{"p50_us", stage.p50_us},
                         {"p90_us", stage.p90_us},
                         {"p99_us", stage.p99_us}};
  }
  return json;
}

nlohmann::json ToJson(const SearchDifference& difference) {
  return {{"set", difference.set},
          {"variant", difference.variant},
          {"baseline", difference.baseline},
          {"targets", difference.targets},
          {"success_at_1", ToJson(difference.success_at_1)},
          {"success_at_10", ToJson(difference.success_at_10)}};
}

nlohmann::json ToJson(const Miss& miss) {
  return {{"query", miss.row.query},
          {"corrected", miss.row.corrected},
          {"title", miss.row.title},
          {"artist", miss.row.artist},
          {"rank", miss.rank},
          {"first_title", miss.first_title},
          {"first_artist", miss.first_artist}};
}

// Empty without differences.
std::string DifferenceTable(const SearchReport& report) {
  std::vector<std::vector<std::string>> rows = {{"set", "difference", "targets",
                                                 "success@1, points",
                                                 "success@10, points"}};
  for (const SearchDifference& difference : report.differences) {
    if (difference.targets == 0) continue;
    rows.push_back(
        {difference.set,
         fmt::format("{} less {}", difference.variant, difference.baseline),
         std::to_string(difference.targets),
         DifferenceCell(difference.success_at_1),
         DifferenceCell(difference.success_at_10)});
  }
  return rows.size() == 1 ? "" : "\n" + MarkdownTable(rows);
}

std::string LatencyTable(const SearchReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"stage", "variant", "p50 ms", "p90 ms", "p99 ms"}};
  for (const auto& [variant, stages] : report.latency) {
    for (const StageLatency& stage : stages) {
      rows.push_back({stage.stage, variant,
                      fmt::format("{:.2f}", stage.p50_us / 1e3),
                      fmt::format("{:.2f}", stage.p90_us / 1e3),
                      fmt::format("{:.2f}", stage.p99_us / 1e3)});
    }
  }
  return MarkdownTable(rows);
}

// Empty without misses.
std::string MissTable(const SearchReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"missed query", "set", "wanted", "rank", "came first"}};
  for (const SearchFigures& figures : report.figures) {
    for (const Miss& miss : figures.misses) {
      rows.push_back(
          {miss.row.query, figures.set,
           fmt::format("{} / {}", miss.row.title, miss.row.artist),
           miss.rank == 0 ? std::string("-") : std::to_string(miss.rank),
           fmt::format("{} / {}", miss.first_title, miss.first_artist)});
    }
  }
  return rows.size() == 1 ? "" : "\n" + MarkdownTable(rows);
}

}  // namespace

int TargetRank(const QueryRow& row, const SearchResponse& response) {
  const std::string title = ComparableText(row.title);
  const std::string artist = ComparableText(row.artist);
  const std::vector<Hit>& tracks = Tracks(response);
  for (size_t i = 0; i < std::min(kRanks, tracks.size()); ++i) {
    const bool titled =
        title.empty() || ComparableText(tracks[i].title) == title;
    if (titled && ComparableText(tracks[i].artist) == artist) {
      return static_cast<int>(i + 1);
    }
  }
  return 0;
}

absl::StatusOr<SearchReport> RunSearchEval(
    const std::vector<QuerySet>& sets,
    const std::vector<SearchVariant>& variants,
    const SearchEvalConfig& config) {
  SearchReport report;
  std::vector<Timings> timings(variants.size());
  for (const QuerySet& set : sets) {
    std::vector<Found> found(variants.size());
    for (size_t i = 0; i < variants.size(); ++i) {
      ASSIGN_OR_RETURN(SearchFigures figures,
                       RunSet(set, variants[i], config, timings[i], found[i]));
      report.figures.push_back(std::move(figures));
    }
    AddDifferences(set, variants, found, config.seed, report);
  }
  for (size_t i = 0; i < variants.size(); ++i) {
    report.latency.emplace_back(variants[i].name, timings[i].Summary());
  }
  return report;
}

nlohmann::json ToJson(const SearchReport& report) {
  nlohmann::json json = {{"sets", nlohmann::json::array()},
                         {"differences", nlohmann::json::array()},
                         {"latency", nlohmann::json::object()}};
  for (const SearchFigures& figures : report.figures) {
    nlohmann::json entry = {{"set", figures.set},
                            {"variant", figures.variant},
                            {"rows", figures.rows},
                            {"targets", figures.targets},
                            {"exact_fix", ToJson(figures.exact_fix)},
                            {"success_at_1", ToJson(figures.success_at_1)},
                            {"success_at_10", ToJson(figures.success_at_10)},
                            {"latency", ToJson(figures.latency)}};
    for (const Miss& miss : figures.misses) {
      entry["misses"].push_back(ToJson(miss));
    }
    json["sets"].push_back(std::move(entry));
  }
  for (const SearchDifference& difference : report.differences) {
    json["differences"].push_back(ToJson(difference));
  }
  for (const auto& [variant, stages] : report.latency) {
    json["latency"][variant] = ToJson(stages);
  }
  return json;
}

std::string ToMarkdown(const SearchReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"set", "variant", "rows", "exact fix %", "success@1 %", "success@10 %"}};
  for (const SearchFigures& figures : report.figures) {
    rows.push_back(
        {figures.set, figures.variant, std::to_string(figures.rows),
         PercentCell(figures.exact_fix),
         figures.targets ? PercentCell(figures.success_at_1) : "-",
         figures.targets ? PercentCell(figures.success_at_10) : "-"});
  }
  return MarkdownTable(rows) + DifferenceTable(report) + "\n" +
         LatencyTable(report) + MissTable(report);
}

}  // namespace quaver
