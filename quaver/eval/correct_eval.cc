// See correct_eval.h.
#include "quaver/eval/correct_eval.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "quaver/base/clock.h"
#include "quaver/eval/table.h"
#include "quaver/text/compare.h"
#include "quaver/text/edit_distance.h"
#include "quaver/text/keyboard.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Answers of one variant to the rows of a kind.
using Kinds = std::map<std::string, std::vector<double>>;

// What a person would be shown results for.
std::string Searched(const Correction& correction, const std::string& query) {
  return ComparableText(correction.applied ? correction.text : query);
}

bool IsOffered(const Correction& correction, const std::string& wanted) {
  return ComparableText(correction.text) == wanted ||
         std::any_of(correction.alternatives.begin(),
                     correction.alternatives.end(), [&](const auto& other) {
                       return ComparableText(other.text) == wanted;
                     });
}

// Adds to `fixed`, of every row, whether it is right.
absl::StatusOr<CorrectFigures> RunSet(const QuerySet& set,
                                      const CorrectVariant& variant,
                                      const CorrectEvalConfig& config,
                                      Kinds& kinds,
                                      std::vector<double>& fixed) {
  CorrectFigures figures = {.set = set.name, .variant = variant.name};
  const size_t limit = config.max_rows == 0 ? set.rows.size() : config.max_rows;
  figures.rows = std::min(limit, set.rows.size());
  std::vector<double> wrong, offered, gated, passes, times;
  for (size_t i = 0; i < figures.rows; ++i) {
    const QueryRow& row = set.rows[i];
    const Stopwatch stopwatch;
    auto correction = variant.correct(row.query);
    if (!correction.ok()) {
      return Annotate(correction.status(),
                      fmt::format("{}, query '{}'", set.name, row.query));
    }
    times.push_back(static_cast<double>(stopwatch.ElapsedUs()));
    const std::string wanted = ComparableText(row.corrected);
    const std::string searched = Searched(*correction, row.query);
    const bool right = searched == wanted;
    fixed.push_back(right);
    wrong.push_back(!right && searched != ComparableText(row.query));
    offered.push_back(right || IsOffered(*correction, wanted));
    gated.push_back(correction->gated);
    if (!correction->gated) passes.push_back(correction->passes);
    kinds[EditsKind(row)].push_back(right);
    const std::string kind = MistakeKind(row);
    if (!kind.empty()) kinds[kind].push_back(right);
    if (!right && figures.misses.size() < config.max_misses) {
      figures.misses.push_back({row, *std::move(correction)});
    }
  }
  figures.exact_fix = BootstrapMean(fixed, config.seed);
  figures.false_corrections = BootstrapMean(wrong, config.seed);
  figures.offered = BootstrapMean(offered, config.seed);
  figures.gated = Mean(gated);
  figures.passes = Mean(passes);
  figures.p50_us = Percentile(times, 0.5);
  figures.p99_us = Percentile(times, 0.99);
  return figures;
}

std::string DifferenceTable(const CorrectReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"set", "difference", "rows", "exact fix, points"}};
  for (const CorrectDifference& difference : report.differences) {
    rows.push_back(
        {difference.set,
         fmt::format("{} less {}", difference.variant, difference.baseline),
         std::to_string(difference.rows),
         DifferenceCell(difference.exact_fix)});
  }
  return MarkdownTable(rows);
}

std::string MissTable(const CorrectReport& report) {
  std::vector<std::vector<std::string>> rows = {{"missed query", "set",
                                                 "variant", "wanted", "outcome",
                                                 "text", "confidence"}};
  for (const CorrectFigures& figures : report.figures) {
    for (const CorrectMiss& miss : figures.misses) {
      rows.push_back(
          {miss.row.query, figures.set, figures.variant, miss.row.corrected,
           std::string(Name(miss.correction.outcome)), miss.correction.text,
           fmt::format("{:.2f}", miss.correction.confidence)});
    }
  }
  return rows.size() == 1 ? "" : "\n" + MarkdownTable(rows);
}

}  // namespace

std::string EditsKind(const QueryRow& row) {
  const EditPattern query(ComparableText(row.query));
  const int edits = query.Osa(ComparableText(row.corrected));
  if (edits == 0) return "right";
  if (edits > 2) return "3 or more edits";
  return edits == 1 ? "1 edit" : "2 edits";
}

std::string MistakeKind(const QueryRow& row) {
  const std::u32string typed = ToCodePoints(ComparableText(row.query));
  const std::u32string meant = ToCodePoints(ComparableText(row.corrected));
  if (EditsKind(row) != "1 edit") return "";
  size_t at = 0;
  while (at < typed.size() && at < meant.size() && typed[at] == meant[at]) ++at;
  const std::u32string& longer = typed.size() > meant.size() ? typed : meant;
  if (typed.size() != meant.size()) {
    // The edit is at `at`, or anywhere in the run of equal letters before it.
    if (longer[at] == U' ') return "space";
    if (at > 0 && longer[at - 1] == longer[at]) return "doubled letter";
    return typed.size() < meant.size() ? "lost letter" : "letter too many";
  }
  if (at + 1 < typed.size() && typed[at] == meant[at + 1] &&
      typed[at + 1] == meant[at]) {
    return "swap";
  }
  return NearKeys(meant[at]).find(typed[at]) != std::u32string_view::npos
             ? "neighbour key"
             : "other letter";
}

absl::StatusOr<CorrectReport> RunCorrectEval(
    const std::vector<QuerySet>& sets,
    const std::vector<CorrectVariant>& variants,
    const CorrectEvalConfig& config) {
  std::vector<CorrectVariant> all = {
      {"do nothing", [](const std::string& query) {
         Correction correction;
         correction.text = query;
         return absl::StatusOr<Correction>(std::move(correction));
       }}};
  all.insert(all.end(), variants.begin(), variants.end());
  CorrectReport report;
  std::vector<Kinds> kinds(all.size());
  for (const QuerySet& set : sets) {
    std::vector<std::vector<double>> fixed(all.size());  // by variant, row
    for (size_t i = 0; i < all.size(); ++i) {
      ASSIGN_OR_RETURN(CorrectFigures figures,
                       RunSet(set, all[i], config, kinds[i], fixed[i]));
      report.figures.push_back(std::move(figures));
    }
    for (size_t i = 0; i + 1 < all.size(); ++i) {
      report.differences.push_back(
          {set.name, all.back().name, all[i].name, fixed[i].size(),
           BootstrapDifference(fixed.back(), fixed[i], config.seed)});
    }
  }
  for (const auto& [kind, unused] : kinds[0]) {
    for (size_t i = 0; i < all.size(); ++i) {
      const std::vector<double>& fixed = kinds[i][kind];
      report.kinds.push_back(
          {kind, all[i].name, fixed.size(), BootstrapMean(fixed, config.seed)});
    }
  }
  return report;
}

nlohmann::json ToJson(const CorrectReport& report) {
  nlohmann::json json = {{"sets", nlohmann::json::array()},
                         {"differences", nlohmann::json::array()},
                         {"kinds", nlohmann::json::array()}};
  for (const CorrectFigures& figures : report.figures) {
    nlohmann::json entry = {
        {"set", figures.set},
        {"variant", figures.variant},
        {"rows", figures.rows},
        {"exact_fix", ToJson(figures.exact_fix)},
        {"false_corrections", ToJson(figures.false_corrections)},
        {"offered", ToJson(figures.offered)},
        {"gated", figures.gated},
        {"passes", figures.passes},
        {"p50_us", figures.p50_us},
        {"p99_us", figures.p99_us}};
    for (const CorrectMiss& miss : figures.misses) {
      entry["misses"].push_back({{"query", miss.row.query},
                                 {"corrected", miss.row.corrected},
                                 {"outcome", Name(miss.correction.outcome)},
                                 {"text", miss.correction.text},
                                 {"confidence", miss.correction.confidence}});
    }
    json["sets"].push_back(std::move(entry));
  }
  for (const CorrectDifference& difference : report.differences) {
    json["differences"].push_back(
        {{"set", difference.set},
         {"variant", difference.variant},
         {"baseline", difference.baseline},
         {"rows", difference.rows},
         {"exact_fix", ToJson(difference.exact_fix)}});
  }
  for (const CorrectKind& kind : report.kinds) {
    json["kinds"].push_back({{"kind", kind.kind},
                             {"variant", kind.variant},
                             {"rows", kind.rows},
                             {"exact_fix", ToJson(kind.exact_fix)}});
  }
  return json;
}

std::string ToMarkdown(const CorrectReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"set", "variant", "rows", "exact fix %", "wrong changes %", "offered %",
       "gated %", "passes", "p50 ms", "p99 ms"}};
  for (const CorrectFigures& figures : report.figures) {
    rows.push_back({figures.set, figures.variant, std::to_string(figures.rows),
                    PercentCell(figures.exact_fix),
                    PercentCell(figures.false_corrections),
                    PercentCell(figures.offered),
                    fmt::format("{:.1f}", 100 * figures.gated),
                    fmt::format("{:.2f}", figures.passes),
                    fmt::format("{:.2f}", figures.p50_us / 1e3),
                    fmt::format("{:.2f}", figures.p99_us / 1e3)});
  }
  std::vector<std::vector<std::string>> kinds = {
      {"queries with", "variant", "rows", "exact fix %"}};
  for (const CorrectKind& kind : report.kinds) {
    kinds.push_back({kind.kind, kind.variant, std::to_string(kind.rows),
                     PercentCell(kind.exact_fix)});
  }
  return MarkdownTable(rows) + "\n" + DifferenceTable(report) + "\n" +
         MarkdownTable(kinds) + MissTable(report);
}

}  // namespace quaver
