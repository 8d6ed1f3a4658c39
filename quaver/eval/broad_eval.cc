// Precision at 10 of broad queries by the genre of what they bring.
#include "quaver/eval/broad_eval.h"

#include <algorithm>

#include "quaver/eval/table.h"
#include "quaver/eval/tsv.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

constexpr int kDepth = 10;
constexpr std::string_view kGenre = ".genre";

absl::StatusOr<EntityType> ParseField(std::string_view field) {
  if (!field.ends_with(kGenre)) {
    return absl::InvalidArgumentError(
        fmt::format("field '{}': expected a type and '{}', as in track.genre",
                    field, kGenre));
  }
  field.remove_suffix(kGenre.size());
  return ParseEntityType(field);
}

std::vector<std::string> Split(std::string_view values) {
  std::vector<std::string> parts;
  while (!values.empty()) {
    const size_t end = std::min(values.find('|'), values.size());
    parts.emplace_back(values.substr(0, end));
    values.remove_prefix(std::min(end + 1, values.size()));
  }
  return parts;
}

BroadRow Count(const BroadQuery& query, const SearchResponse& response) {
  BroadRow row = {.query = query.query};
  for (const Section& section : response.sections) {
    if (section.type != query.type) continue;
    for (const Hit& hit : section.hits) {
      if (row.hits == kDepth) break;
      ++row.hits;
      row.known += hit.genre.empty() ? 0 : 1;
      row.right += NamesGenre(hit.genre, query.genres) ? 1 : 0;
    }
  }
  return row;
}

}  // namespace

absl::StatusOr<std::vector<BroadQuery>> ReadBroadQueries(
    const std::string& path) {
  std::vector<BroadQuery> queries;
  RETURN_IF_ERROR(ForEachNamedRow(
      path, {"query", "field", "values"},
      [&](const auto& values) -> absl::Status {
        BroadQuery query = {.query = std::string(values[0])};
        ASSIGN_OR_RETURN(query.type, ParseField(values[1]));
        query.genres = Split(values[2]);
        if (query.genres.empty()) {
          return absl::InvalidArgumentError("no values are given");
        }
        queries.push_back(std::move(query));
        return absl::OkStatus();
      }));
  return queries;
}

bool NamesGenre(const std::string& genre,
                const std::vector<std::string>& values) {
  const std::string words = " " + ComparableText(genre) + " ";
  return std::any_of(values.begin(), values.end(), [&](const auto& value) {
    const std::string wanted = ComparableText(value);
    return !wanted.empty() &&
           words.find(" " + wanted + " ") != std::string::npos;
  });
}

absl::StatusOr<BroadReport> RunBroadEval(const std::vector<BroadQuery>& queries,
                                         const SearchVariant& variant,
                                         uint64_t seed) {
  BroadReport report;
  std::vector<double> precision, of_known;
  for (const BroadQuery& query : queries) {
    auto response = variant.search(query.query);
    if (!response.ok()) return Annotate(response.status(), query.query);
    const BroadRow row = Count(query, *response);
    precision.push_back(static_cast<double>(row.right) / kDepth);
    of_known.push_back(
        row.known == 0 ? 0 : static_cast<double>(row.right) / row.known);
    report.rows.push_back(row);
  }
  report.precision_at_10 = BootstrapMean(precision, seed);
  report.of_known = BootstrapMean(of_known, seed);
  return report;
}

nlohmann::json ToJson(const BroadReport& report) {
  nlohmann::json json = {{"precision_at_10", ToJson(report.precision_at_10)},
                         {"precision_of_known", ToJson(report.of_known)},
                         {"queries", nlohmann::json::array()}};
  for (const BroadRow& row : report.rows) {
    json["queries"].push_back({{"query", row.query},
                               {"hits", row.hits},
                               {"right", row.right},
                               {"known", row.known}});
  }
  return json;
}

std::string ToMarkdown(const BroadReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"query", "hits", "with a genre", "right"}};
  for (const BroadRow& row : report.rows) {
    rows.push_back({row.query, std::to_string(row.hits),
                    std::to_string(row.known), std::to_string(row.right)});
  }
  return MarkdownTable(rows) + "\n" +
         MarkdownTable({{"queries", "precision@10 %", "of known %"},
                        {std::to_string(report.rows.size()),
                         PercentCell(report.precision_at_10),
                         PercentCell(report.of_known)}});
}

}  // namespace quaver
