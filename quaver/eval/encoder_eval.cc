// Spearman's correlation on sentence pairs, and cosines to a reference.
#include "quaver/eval/encoder_eval.h"

#include <algorithm>
#include <cmath>

#include "quaver/base/workers.h"
#include "quaver/eval/table.h"
#include "quaver/eval/tsv.h"
#include "quaver/ingest/embedder.h"

namespace quaver {
namespace {

std::vector<std::string> Sentences(const std::vector<SentencePair>& pairs) {
  std::vector<std::string> sentences;
  for (const SentencePair& pair : pairs) {
    sentences.push_back(pair.first);
    sentences.push_back(pair.second);
  }
  return sentences;
}

}  // namespace

absl::StatusOr<std::vector<SentencePair>> ReadSentencePairs(
    const std::string& path) {
  std::vector<SentencePair> pairs;
  RETURN_IF_ERROR(ForEachNamedRow(
      path, {"score", "sentence1", "sentence2"},
      [&](const auto& values) -> absl::Status {
        ASSIGN_OR_RETURN(const double score, ParseNumber(values[0]));
        pairs.push_back(
            {score, std::string(values[1]), std::string(values[2])});
        return absl::OkStatus();
      }));
  return pairs;
}

absl::StatusOr<EncoderReport> RunEncoderEval(
    const std::vector<SentencePair>& pairs, Servable& encoder,
    Servable* reference, uint64_t seed) {
  if (pairs.empty()) {
    return absl::FailedPreconditionError("no sentence pairs to compare");
  }
  const std::vector<std::string> sentences = Sentences(pairs);
  ASSIGN_OR_RETURN(const auto embeddings,
                   EmbedAll(encoder, sentences, AvailableCores(), nullptr));
  std::vector<double> people, cosines;
  for (size_t i = 0; i < pairs.size(); ++i) {
    people.push_back(pairs[i].score);
    cosines.push_back(Cosine(embeddings[2 * i], embeddings[2 * i + 1]));
  }
  const auto spearman = [&](std::span<const size_t> rows) {
    std::vector<double> x, y;
    for (const size_t row : rows) {
      x.push_back(cosines[row]);
      y.push_back(people[row]);
    }
    return Spearman(x, y);
  };
  EncoderReport report;
  report.pairs = pairs.size();
  report.spearman = Bootstrap(pairs.size(), spearman, seed);
  if (reference == nullptr) return report;
  ASSIGN_OR_RETURN(const auto expected,
                   EmbedAll(*reference, sentences, AvailableCores(), nullptr));
  std::vector<double> agreement;
  for (size_t i = 0; i < sentences.size(); ++i) {
    agreement.push_back(Cosine(embeddings[i], expected[i]));
  }
  report.least_cosine = *std::min_element(agreement.begin(), agreement.end());
  report.mean_cosine = Mean(agreement);
  return report;
}

nlohmann::json ToJson(const EncoderReport& report) {
  nlohmann::json json = {{"pairs", report.pairs},
                         {"spearman", ToJson(report.spearman)}};
  if (report.mean_cosine != 0) {
    json["least_cosine"] = report.least_cosine;
    json["mean_cosine"] = report.mean_cosine;
  }
  return json;
}

std::string ToMarkdown(const EncoderReport& report) {
  const bool compared = report.mean_cosine != 0;
  const auto cosine = [&](double value) {
    return compared ? fmt::format("{:.6f}", value) : std::string("-");
  };
  return MarkdownTable(
      {{"pairs", "Spearman", "least cosine", "mean cosine"},
       {std::to_string(report.pairs), NumberCell(report.spearman),
        cosine(report.least_cosine), cosine(report.mean_cosine)}});
}

}  // namespace quaver
