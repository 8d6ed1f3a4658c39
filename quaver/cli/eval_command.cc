// quaver eval: how good search, index and encoder are.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"
#include "quaver/eval/broad_eval.h"
#include "quaver/eval/correct_eval.h"
#include "quaver/eval/encoder_eval.h"
#include "quaver/eval/fit.h"
#include "quaver/eval/fit_corrector.h"
#include "quaver/eval/index_eval.h"
#include "quaver/eval/query_file.h"
#include "quaver/eval/relevance_eval.h"
#include "quaver/eval/search_eval.h"
#include "quaver/eval/suggest_eval.h"

namespace quaver {
namespace {

struct EvalOptions {
  std::string index;
  std::string model = DefaultModelFolder();
  std::string corrector = DefaultCorrectorFolder();
  std::string sets;
  std::string held;
  std::vector<std::string> catalogue;
  std::string file;
  std::string folder;
  std::string misspellings;
  std::string reference;
  size_t rows = 0;
  uint64_t seed = 1;
  bool words_only = false;
  bool product_only = false;
  bool reembed = false;
  size_t misses = 0;
  bool as_json = false;
};

using Options = std::shared_ptr<EvalOptions>;

template <typename Report>
void Print(const Report& report, bool as_json) {
  if (as_json) {
    std::cout << ToJson(report).dump() << "\n";
  } else {
    std::cout << ToMarkdown(report) << "\n";
  }
}

SearchVariant DoNothing(const SearchBar& bar, const EvalOptions& options) {
  return {"do nothing",
          [&bar, meaning = !options.words_only](const std::string& query) {
            return bar.Search(
                {.query = query, .meaning = meaning, .correct = false});
          }};
}

SearchVariant Product(const SearchBar& bar, const EvalOptions& options) {
  return {"product",
          [&bar, meaning = !options.words_only](const std::string& query) {
            return bar.Search({.query = query, .meaning = meaning});
          }};
}

absl::Status EvalSearch(const EvalOptions& options) {
  ASSIGN_OR_RETURN(const auto sets, ReadQuerySets(options.sets));
  ASSIGN_OR_RETURN(const auto search, OpenReadOnly(options.index, options.model,
                                                   options.corrector));
  const SearchEvalConfig config{.max_rows = options.rows,
                                .max_misses = options.misses,
                                .seed = options.seed};
  ASSIGN_OR_RETURN(const SearchReport report,
                   RunSearchEval(sets,
                                 {DoNothing(*search->bar, options),
                                  Product(*search->bar, options)},
                                 config));
  Print(report, options.as_json);
  return absl::OkStatus();
}

absl::Status EvalCorrect(const EvalOptions& options) {
  ASSIGN_OR_RETURN(const auto sets, ReadQuerySets(options.sets));
  ASSIGN_OR_RETURN(const auto search, OpenReadOnly(options.index, options.model,
                                                   options.corrector));
  const auto variant = [&](const char* name, const CorrectOptions& correct) {
    return CorrectVariant{
        name, [&bar = *search->bar, correct](const std::string& query) {
          return bar.Correct(query, correct);
        }};
  };
  std::vector<CorrectVariant> variants = {
      variant("dictionary only", {.model = false, .catalogue = false}),
      variant("catalogue only", {.model = false, .dictionary = false}),
      variant("model only", {.dictionary = false, .catalogue = false}),
      variant("product, no gate", {.gate = false}), variant("product", {})};
  if (options.product_only)
    variants.erase(variants.begin(), variants.end() - 2);
  ASSIGN_OR_RETURN(const CorrectReport report,
                   RunCorrectEval(sets, variants,
                                  {.max_rows = options.rows,
                                   .max_misses = options.misses,
                                   .seed = options.seed}));
  Print(report, options.as_json);
  return absl::OkStatus();
}

absl::Status EvalFitCorrector(const EvalOptions& options) {
  FitCorrectorConfig config;
  ASSIGN_OR_RETURN(config.train, ReadQuerySets(options.sets));
  ASSIGN_OR_RETURN(config.held, ReadQuerySets(options.held));
  ASSIGN_OR_RETURN(const auto search, OpenReadOnly(options.index, options.model,
                                                   options.corrector));
  config.features_file = options.file;
  config.seed = options.seed;
  config.correct = [&](const std::string& query) {
    return search->bar->Correct(query, {.gate = false, .explain = true});
  };
  ASSIGN_OR_RETURN(const FitCorrectorReport report, FitCorrector(config));
  Print(report, options.as_json);
  return absl::OkStatus();
}

absl::Status EvalSuggest(const EvalOptions& options) {
  ASSIGN_OR_RETURN(const SearchTexts texts, ReadSearchTexts(options.catalogue));
  ASSIGN_OR_RETURN(const auto search,
                   OpenReadOnly(options.index, options.model));
  SuggestEvalConfig config{.seed = options.seed};
  if (options.rows > 0) config.num_titles = options.rows;
  ASSIGN_OR_RETURN(const SuggestReport report,
                   RunSuggestEval(
                       texts.tracks,
                       [&](const std::string& prefix) {
                         return search->bar->Suggest(prefix);
                       },
                       config));
  Print(report, options.as_json);
  return absl::OkStatus();
}

absl::Status EvalIndex(const EvalOptions& options) {
  ASSIGN_OR_RETURN(const auto sets, ReadQuerySets(options.sets));
  std::vector<std::string> queries;
  for (const QuerySet& set : sets) {
    for (const QueryRow& row : set.rows) queries.push_back(row.query);
  }
  ASSIGN_OR_RETURN(const auto search,
                   OpenReadOnly(options.index, options.model));
  ASSIGN_OR_RETURN(const auto encoder, search->servables.Find("encoder"));
  IndexEvalConfig config{.reembed = options.reembed, .seed = options.seed};
  if (options.rows > 0) config.num_queries = options.rows;
  ASSIGN_OR_RETURN(IndexReport report,
                   RunIndexEval(*search->snapshot, *encoder, queries, config));
  RETURN_IF_ERROR(AddSizes(options.index, report));
  Print(report, options.as_json);
  return absl::OkStatus();
}

absl::Status EvalEncoder(const EvalOptions& options) {
  ASSIGN_OR_RETURN(const auto pairs, ReadSentencePairs(options.file));
  ASSIGN_OR_RETURN(const auto encoder, LoadEncoder(options.model, {}));
  std::shared_ptr<EncoderServable> reference;
  if (!options.reference.empty()) {
    ASSIGN_OR_RETURN(reference, LoadEncoder(options.reference, {}));
  }
  ASSIGN_OR_RETURN(
      const EncoderReport report,
      RunEncoderEval(pairs, *encoder, reference.get(), options.seed));
  Print(report, options.as_json);
  return absl::OkStatus();
}

absl::Status EvalRelevance(const EvalOptions& options) {
  JudgedCollection collection;
  if (!options.folder.empty()) {
    ASSIGN_OR_RETURN(collection, ReadCranfield(options.folder));
  } else {
    const size_t queries = options.rows > 0 ? options.rows : 1'000;
    ASSIGN_OR_RETURN(collection,
                     ReadDescribedTracks(options.file, queries, options.seed));
  }
  ASSIGN_OR_RETURN(const auto encoder, LoadEncoder(options.model, {}));
  ASSIGN_OR_RETURN(const RelevanceReport report,
                   RunRelevanceEval(collection, encoder, options.seed));
  Print(report, options.as_json);
  return absl::OkStatus();
}

absl::Status EvalBroad(const EvalOptions& options) {
  ASSIGN_OR_RETURN(const auto queries, ReadBroadQueries(options.file));
  ASSIGN_OR_RETURN(const auto search,
                   OpenReadOnly(options.index, options.model));
  ASSIGN_OR_RETURN(
      const BroadReport report,
      RunBroadEval(queries, DoNothing(*search->bar, options), options.seed));
  Print(report, options.as_json);
  return absl::OkStatus();
}

absl::Status EvalMakeSets(const EvalOptions& options) {
  MakeSetsConfig config{.catalogue = options.catalogue,
                        .folder = options.folder,
                        .misspellings = options.misspellings};
  config.set.seed = options.seed;
  if (options.rows > 0) config.set.rows = options.rows;
  ASSIGN_OR_RETURN(const auto sets, MakeSets(config));
  for (const QuerySet& set : sets) {
    std::cout << fmt::format("{}/{}.tsv: {} queries\n", options.folder,
                             set.name, set.rows.size());
  }
  return absl::OkStatus();
}

absl::Status EvalFitRanker(const EvalOptions& options) {
  FitRankerConfig config;
  ASSIGN_OR_RETURN(config.train, ReadQuerySets(options.sets));
  ASSIGN_OR_RETURN(config.held, ReadQuerySets(options.held));
  ASSIGN_OR_RETURN(const auto search,
                   OpenReadOnly(options.index, options.model));
  config.search = [&](const std::string& query) {
    return search->bar->Search({.query = query,
                                .types = {EntityType::kTrack},
                                .limit = kMaxLimit,
                                .explain = true,
                                .meaning = !options.words_only,
                                .correct = false});
  };
  ASSIGN_OR_RETURN(const FitReport report, FitRanker(config));
  Print(report, options.as_json);
  return absl::OkStatus();
}

// One kind of evaluation, with the options that all have.
CLI::App* Add(CLI::App* eval, const char* name, const char* description,
              absl::Status (*run)(const EvalOptions&), const Options& options,
              Action& action) {
  CLI::App* command = eval->add_subcommand(name, description);
  command
      ->add_option("--model", options->model,
                   "Plan of the encoder, or its folder, which is compiled once")
      ->capture_default_str();
  command->add_option("--rows", options->rows,
                      "Rows of each set, queries or titles; 0: the default");
  command->add_option("--seed", options->seed, "Of samples and intervals")
      ->capture_default_str();
  command->add_flag("--json", options->as_json, "One JSON object");
  command->callback([&action, options, run] {
    action = [options, run] { return run(*options); };
  });
  return command;
}

void AddIndex(CLI::App* command, const Options& options) {
  command->add_option("--index", options->index, "Folder made by ingest")
      ->required();
}

void AddSets(CLI::App* command, const Options& options) {
  command
      ->add_option("--sets", options->sets,
                   "Query sets: a TSV file or a folder of them")
      ->required();
}

void AddCorrector(CLI::App* command, const Options& options) {
  command
      ->add_option("--corrector", options->corrector,
                   "Plan or folder of the corrector's model; none: no model")
      ->capture_default_str();
}

void AddWordsOnly(CLI::App* command, const Options& options) {
  command->add_flag("--words-only", options->words_only,
                    "Do not search by meaning");
}

}  // namespace

void AddEvalCommand(CLI::App& app, Action& action) {
  CLI::App* eval = app.add_subcommand("eval", "Measure quality");
  eval->require_subcommand(1);
  const auto options = std::make_shared<EvalOptions>();

  auto* search = Add(eval, "search", "Success@1 and @10, latency of stages",
                     EvalSearch, options, action);
  AddIndex(search, options);
  AddSets(search, options);
  AddWordsOnly(search, options);
  AddCorrector(search, options);
  search->add_option("--misses", options->misses,
                     "Queries to show of each set that did not succeed");

  auto* correct = Add(eval, "correct", "Exact fixes and false corrections",
                      EvalCorrect, options, action);
  AddIndex(correct, options);
  AddSets(correct, options);
  AddCorrector(correct, options);
  correct->add_flag("--product-only", options->product_only,
                    "Not its parts by themselves");
  correct->add_option("--misses", options->misses,
                      "Queries to show of each set that were not mended");

  auto* suggest = Add(eval, "suggest", "Famous titles after 3 and 6 letters",
                      EvalSuggest, options, action);
  AddIndex(suggest, options);
  suggest
      ->add_option("--catalogue", options->catalogue,
                   "catalogue.db or files, best-known tracks first")
      ->required();

  auto* index = Add(eval, "index", "Recall and speed of the vector index",
                    EvalIndex, options, action);
  AddIndex(index, options);
  AddSets(index, options);
  index->add_flag("--reembed", options->reembed,
                  "Compare with fp32 vectors, which are made again: slow");

  auto* encoder = Add(eval, "encoder", "Spearman's rho on sentence pairs",
                      EvalEncoder, options, action);
  encoder
      ->add_option("--pairs", options->file,
                   "TSV file with score, sentence1, sentence2")
      ->required();
  encoder->add_option("--reference", options->reference,
                      "Plan of an encoder that this one should equal");

  auto* relevance = Add(eval, "relevance", "Words, vectors and both",
                        EvalRelevance, options, action);
  auto* source = relevance->add_option_group("collection");
  source->add_option("--cranfield", options->folder,
                     "Folder of docs.tsv, queries.tsv and qrels.tsv");
  source->add_option("--described", options->file,
                     "TSV file of tracks; descriptions become the queries");
  source->require_option(1);

  auto* broad = Add(eval, "broad", "Broad queries by the genre of their hits",
                    EvalBroad, options, action);
  AddIndex(broad, options);
  AddWordsOnly(broad, options);
  broad->add_option("--queries", options->file, "TSV: query, field, values")
      ->required();

  auto* sets = Add(eval, "make-sets", "Make query sets from a catalogue",
                   EvalMakeSets, options, action);
  sets->add_option("--catalogue", options->catalogue,
                   "catalogue.db or files, best-known tracks first")
      ->required();
  sets->add_option("--out", options->folder, "Folder to write to")->required();
  sets->add_option("--misspellings", options->misspellings,
                   "TSV of wrong and right words");

  auto* fit = Add(eval, "fit-ranker", "Fit the ranking function's weights",
                  EvalFitRanker, options, action);
  AddIndex(fit, options);
  AddSets(fit, options);
  AddWordsOnly(fit, options);
  fit->add_option("--held", options->held, "Sets that are only measured")
      ->required();

  auto* fit_corrector =
      Add(eval, "fit-corrector", "Fit the weights of a query's readings",
          EvalFitCorrector, options, action);
  AddIndex(fit_corrector, options);
  AddSets(fit_corrector, options);
  AddCorrector(fit_corrector, options);
  fit_corrector
      ->add_option("--held", options->held, "Sets that are only measured")
      ->required();
  fit_corrector->add_option("--features", options->file,
                            "File to write all features to, JSON lines");
}

}  // namespace quaver
