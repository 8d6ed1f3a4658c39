// nDCG and success of words, vectors and both.
#include "quaver/eval/relevance_eval.h"

#include "quaver/base/workers.h"
#include "quaver/eval/small_index.h"
#include "quaver/eval/table.h"
#include "quaver/ingest/embedder.h"
#include "quaver/search/search_bar.h"

namespace quaver {
namespace {

constexpr size_t kDepth = 10;
constexpr const char* kEncoderName = "encoder";

using Ids = std::vector<std::string>;

struct LegScores {
  std::string leg;
  std::vector<double> ndcg;
  std::vector<double> success;

  void Add(const JudgedQuery& query, const Ids& found) {
    std::vector<double> gains, ideal;
    bool any = false;
    for (const std::string& id : found) {
      const auto gain = query.gains.find(id);
      gains.push_back(gain == query.gains.end() ? 0 : gain->second);
      any |= gains.back() > 0;
    }
    for (const auto& [id, gain] : query.gains) ideal.push_back(gain);
    ndcg.push_back(NdcgAt(kDepth, gains, std::move(ideal)));
    success.push_back(any);
  }
};

// The legs over one small index.
class Searcher {
 public:
  static absl::StatusOr<std::unique_ptr<Searcher>> Create(
      const JudgedCollection& collection, std::shared_ptr<Servable> encoder) {
    auto searcher = std::make_unique<Searcher>();
    searcher->type_ = collection.type;
    ASSIGN_OR_RETURN(searcher->snapshot_,
                     IndexEntities(collection.entities, encoder.get()));
    RETURN_IF_ERROR(searcher->registry_.Add(kEncoderName, std::move(encoder)));
    ASSIGN_OR_RETURN(
        searcher->bar_,
        SearchBar::Create(
            {.encoder = kEncoderName}, searcher->registry_,
            [snapshot = searcher->snapshot_] { return snapshot; }));
    return searcher;
  }

  absl::StatusOr<Ids> Bar(const std::string& query, bool meaning) const {
    ASSIGN_OR_RETURN(const SearchResponse response,
                     bar_->Search({.query = query,
                                   .types = {type_},
                                   .limit = static_cast<int>(kDepth),
                                   .meaning = meaning}));
    Ids ids;
    for (const Section& section : response.sections) {
      for (const Hit& hit : section.hits) ids.push_back(hit.id);
    }
    return ids;
  }

  Ids Vectors(const std::vector<float>& embedding) const {
    Ids ids;
    const Segment& segment = *snapshot_->segments[0].segment;
    if (segment.vectors() == nullptr) return ids;
    for (const VectorHit& hit : segment.vectors()->Search(
             embedding, {.num_results = kDepth}, nullptr)) {
      ids.emplace_back(segment.document(hit.item).id);
    }
    return ids;
  }

 private:
  EntityType type_ = EntityType::kShow;
  std::shared_ptr<const Snapshot> snapshot_;
  ServableRegistry registry_;
  std::unique_ptr<SearchBar> bar_;
};

Interval Difference(const std::vector<double>& a, const std::vector<double>& b,
                    uint64_t seed) {
  std::vector<double> difference;
  for (size_t i = 0; i < a.size(); ++i) difference.push_back(a[i] - b[i]);
  return BootstrapMean(difference, seed);
}

std::vector<std::string> Texts(const JudgedCollection& collection) {
  std::vector<std::string> texts;
  for (const JudgedQuery& query : collection.queries) {
    texts.push_back(query.text);
  }
  return texts;
}

}  // namespace

absl::StatusOr<RelevanceReport> RunRelevanceEval(
    const JudgedCollection& collection, std::shared_ptr<Servable> encoder,
    uint64_t seed) {
  if (collection.entities.empty() || collection.queries.empty()) {
    return absl::FailedPreconditionError(
        "a collection needs documents and queries");
  }
  ASSIGN_OR_RETURN(const auto embeddings, EmbedAll(*encoder, Texts(collection),
                                                   AvailableCores(), nullptr));
  ASSIGN_OR_RETURN(const auto searcher, Searcher::Create(collection, encoder));
  LegScores words = {"words", {}, {}};
  LegScores vectors = {"vectors", {}, {}};
  LegScores hybrid = {"hybrid", {}, {}};
  for (size_t i = 0; i < collection.queries.size(); ++i) {
    const JudgedQuery& query = collection.queries[i];
    ASSIGN_OR_RETURN(const Ids by_words, searcher->Bar(query.text, false));
    ASSIGN_OR_RETURN(const Ids by_both, searcher->Bar(query.text, true));
    words.Add(query, by_words);
    vectors.Add(query, searcher->Vectors(embeddings[i]));
    hybrid.Add(query, by_both);
  }
  RelevanceReport report;
  report.documents = collection.entities.size();
  report.queries = collection.queries.size();
  for (const LegScores* leg : {&words, &vectors, &hybrid}) {
    report.legs.push_back({leg->leg, BootstrapMean(leg->ndcg, seed),
                           BootstrapMean(leg->success, seed)});
  }
  report.ndcg_over_words = Difference(hybrid.ndcg, words.ndcg, seed);
  report.ndcg_over_vectors = Difference(hybrid.ndcg, vectors.ndcg, seed);
  report.success_over_vectors =
      Difference(hybrid.success, vectors.success, seed);
  return report;
}

nlohmann::json ToJson(const RelevanceReport& report) {
  nlohmann::json json = {
      {"documents", report.documents},
      {"queries", report.queries},
      {"legs", nlohmann::json::object()},
      {"hybrid_minus_words_ndcg_at_10", ToJson(report.ndcg_over_words)},
      {"hybrid_minus_vectors_ndcg_at_10", ToJson(report.ndcg_over_vectors)},
      {"hybrid_minus_vectors_success_at_10",
       ToJson(report.success_over_vectors)}};
  for (const LegFigures& leg : report.legs) {
    json["legs"][leg.leg] = {{"ndcg_at_10", ToJson(leg.ndcg_at_10)},
                             {"success_at_10", ToJson(leg.success_at_10)}};
  }
  return json;
}

std::string ToMarkdown(const RelevanceReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"leg", "documents", "queries", "nDCG@10", "success@10 %"}};
  const auto add = [&](const std::string& leg, const Interval& ndcg,
                       const std::string& success) {
    rows.push_back({leg, std::to_string(report.documents),
                    std::to_string(report.queries), NumberCell(ndcg), success});
  };
  for (const LegFigures& leg : report.legs) {
    add(leg.leg, leg.ndcg_at_10, PercentCell(leg.success_at_10));
  }
  add("hybrid - words", report.ndcg_over_words, "");
  add("hybrid - vectors", report.ndcg_over_vectors,
      PercentCell(report.success_over_vectors));
  return MarkdownTable(rows);
}

}  // namespace quaver
