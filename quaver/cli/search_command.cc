// quaver search: queries against an index, without a server.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"

namespace quaver {
namespace {

using nlohmann::json;

struct SearchOptions {
  std::string index;
  std::string model = DefaultModelFolder();
  std::string corrector = DefaultCorrectorFolder();
  std::vector<std::string> types;
  std::string filter;
  int limit = 10;
  bool as_json = false;
  bool explain = false;
  bool words_only = false;
  bool no_correct = false;
  bool no_gate = false;
  std::vector<std::string> queries;
};

const std::string& SearchedFor(const SearchResponse& response) {
  return response.correction.applied ? response.correction.text
                                     : response.query;
}

// The hits of all sections, best first.
std::vector<Hit> OneList(SearchResponse& response) {
  std::vector<Hit> hits;
  for (Section& section : response.sections) {
    std::move(section.hits.begin(), section.hits.end(),
              std::back_inserter(hits));
  }
  std::stable_sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    return a.score > b.score;
  });
  return hits;
}

json HitJson(const Hit& hit, bool explain) {
  json object = {{"type", Name(hit.type)}, {"id", hit.id},
                 {"title", hit.title},     {"artist", hit.artist},
                 {"album", hit.album},     {"score", hit.score}};
  if (!explain) return object;
  for (const LegScore& leg : hit.legs) {
    object["legs"][leg.leg] = {{"rank", leg.rank}, {"score", leg.score}};
  }
  for (const auto& [feature, value] : hit.features) {
    object["features"][feature] = value;
  }
  return object;
}

void PrintJson(SearchResponse& response, bool explain) {
  json hits = json::array();
  for (const Hit& hit : OneList(response)) {
    hits.push_back(HitJson(hit, explain));
  }
  json timing = json::object();
  for (const auto& [stage, us] : response.timing_us) timing[stage] = us;
  const json line = {{"query", response.query},
                     {"searched_for", SearchedFor(response)},
                     {"hits", std::move(hits)},
                     {"timing_us", std::move(timing)}};
  std::cout << line.dump(-1, ' ', false, json::error_handler_t::replace)
            << std::endl;
}

void PrintText(SearchResponse& response) {
  std::cout << "\"" << response.query << "\"";
  const Correction& correction = response.correction;
  if (correction.applied) {
    std::cout << ": results for \"" << correction.text << "\"";
  } else if (correction.outcome == SpellingOutcome::kAsked) {
    std::cout << ": did you mean \"" << correction.text << "\"?";
  }
  std::cout << "\n";
  for (const Hit& hit : OneList(response)) {
    std::cout << fmt::format("  {:5.3f}  {:<8} {}", hit.score, Name(hit.type),
                             hit.title);
    if (!hit.artist.empty()) std::cout << "  -  " << hit.artist;
    std::cout << "  [" << hit.id << "]\n";
  }
  std::cout << std::flush;
}

absl::Status Search(const SearchOptions& options) {
  SearchRequest request{.limit = options.limit,
                        .explain = options.explain,
                        .meaning = !options.words_only,
                        .correct = !options.no_correct,
                        .gate = !options.no_gate};
  for (const std::string& name : options.types) {
    ASSIGN_OR_RETURN(request.types.emplace_back(), ParseEntityType(name));
  }
  ASSIGN_OR_RETURN(request.filter, ParseFilter(options.filter));
  ASSIGN_OR_RETURN(
      const auto search,
      OpenReadOnly(options.index, options.model,
                   options.no_correct ? kNoCorrector : options.corrector));
  const auto run = [&](const std::string& query) -> absl::Status {
    request.query = query;
    ASSIGN_OR_RETURN(SearchResponse response, search->bar->Search(request));
    if (options.as_json) {
      PrintJson(response, options.explain);
    } else {
      PrintText(response);
    }
    return absl::OkStatus();
  };
  for (const std::string& query : options.queries) RETURN_IF_ERROR(run(query));
  if (!options.queries.empty()) return absl::OkStatus();
  std::string line;
  while (std::getline(std::cin, line)) RETURN_IF_ERROR(run(line));
  return absl::OkStatus();
}

}  // namespace

void AddSearchCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "search", "Search an index; queries are arguments, else input lines");
  const auto options = std::make_shared<SearchOptions>();
  command->add_option("--index", options->index, "Folder made by ingest")
      ->required();
  command
      ->add_option("--model", options->model,
                   "Plan of the encoder, or its folder, which is compiled once")
      ->capture_default_str();
  command
      ->add_option("--corrector", options->corrector,
                   "Plan or folder of the spelling model; none: without")
      ->capture_default_str();
  command
      ->add_option("--types", options->types,
                   "Comma-separated: track, artist, album, show, episode, "
                   "playlist; default all")
      ->delimiter(',')
      ->allow_extra_args(false)  // what follows is a query
      ->check(CLI::IsMember(TypeNames()));
  command->add_option("--filter", options->filter,
                      "As in genre:Rock;year:1980..1989");
  command->add_option("--limit", options->limit, "Hits a type, 1 to 100")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--json", options->as_json, "One JSON object a query");
  command->add_flag("--explain", options->explain,
                    "With --json: legs and features of each hit");
  command->add_flag("--words-only", options->words_only,
                    "Do not search by meaning");
  command->add_flag("--no-correct", options->no_correct,
                    "Search for each query as it stands");
  command->add_flag("--no-gate", options->no_gate,
                    "Ask the model about what the index explains, too");
  command->add_option("QUERY", options->queries, "Each argument is one query");
  command->callback(
      [&action, options] { action = [options] { return Search(*options); }; });
}

}  // namespace quaver
