// See model_quality.h.
#include "quaver/eval/model_quality.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "quaver/base/workers.h"
#include "quaver/engine/generation.h"
#include "quaver/eval/encoder_eval.h"
#include "quaver/eval/statistics.h"
#include "quaver/eval/tsv.h"

namespace quaver {
namespace {

constexpr double kPoints = 100;
constexpr int kMaxTokens = 64;  // of a query
constexpr size_t kTextsAtOnce = 16;

using Embeddings = std::vector<float>;  // [texts, D]

Embeddings Embed(const BertModel& model, const WordPiece& tokenizer,
                 const std::vector<std::string>& texts) {
  const auto D = static_cast<size_t>(model.config().hidden_size);
  const int max_tokens = model.config().max_tokens;
  Embeddings embeddings(texts.size() * D);
  ParallelFor(
      texts.size(), kTextsAtOnce, AvailableCores(),
      [&](size_t begin, size_t end) {
        std::vector<int32_t> ids;
        std::vector<uint32_t> offsets{0};
        for (size_t i = begin; i < end; ++i) {
          const auto more = tokenizer.Encode(texts[i], max_tokens);
          ids.insert(ids.end(), more.begin(), more.end());
          offsets.push_back(static_cast<uint32_t>(ids.size()));
        }
        BertWorkspace workspace(model, ids.size());
        model.Encode(
            {ids, offsets}, workspace,
            std::span(embeddings).subspan(begin * D, (end - begin) * D));
      });
  return embeddings;
}

std::span<const float> Row(const Embeddings& embeddings, size_t i, size_t D) {
  return std::span(embeddings).subspan(i * D, D);
}

// The greedy answer's tokens, as generate() gives them.
using Answers = std::vector<std::vector<int32_t>>;

absl::StatusOr<Answers> Answer(const BartModel& model, const Bpe& tokenizer,
                               const std::vector<std::string>& texts) {
  const int max_tokens = std::min(kMaxTokens, model.config().max_positions - 2);
  Answers answers(texts.size());
  std::vector<absl::Status> failures(texts.size());
  ParallelFor(texts.size(), kTextsAtOnce, AvailableCores(),
              [&](size_t begin, size_t end) {
                Generator generator(model,
                                    {.max_source_tokens = max_tokens,
                                     .max_target_tokens = max_tokens + 2});
                std::vector<Generated> done;
                for (size_t i = begin; i < end; ++i) {
                  GenerationRequest request;
                  request.source = tokenizer.Encode(texts[i], max_tokens);
                  request.drafts = {request.source};
                  failures[i] = generator.Add(std::move(request));
                  if (!failures[i].ok()) continue;
                  while (!generator.idle()) generator.Step(&done);
                  answers[i] = std::move(done.back().tokens);
                }
              });
  for (const absl::Status& failure : failures) RETURN_IF_ERROR(failure);
  return answers;
}

double ShareOfOtherTokens(const Answers& wanted, const Answers& found) {
  size_t all = 0, other = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    all += wanted[i].size();
    for (size_t t = 0; t < wanted[i].size(); ++t) {
      if (t >= found[i].size() || found[i][t] != wanted[i][t]) ++other;
    }
  }
  return all == 0 ? 0 : static_cast<double>(other) / static_cast<double>(all);
}

}  // namespace

EncoderDrop CosineDrop(std::shared_ptr<const WordPiece> tokenizer,
                       std::vector<std::string> texts) {
  return [tokenizer = std::move(tokenizer), texts = std::move(texts),
          wanted = Embeddings()](
             const BertModel& reference,
             const BertModel& candidate) mutable -> absl::StatusOr<double> {
    if (wanted.empty()) wanted = Embed(reference, *tokenizer, texts);
    const Embeddings found = Embed(candidate, *tokenizer, texts);
    const size_t D = found.size() / texts.size();
    double sum = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      sum += Cosine(Row(wanted, i, D), Row(found, i, D));
    }
    return kPoints * (1 - sum / static_cast<double>(texts.size()));
  };
}

absl::StatusOr<EncoderDrop> SpearmanDrop(
    std::shared_ptr<const WordPiece> tokenizer, const std::string& path) {
  ASSIGN_OR_RETURN(auto pairs, ReadSentencePairs(path));
  if (pairs.size() < kLeastPairs) {
    return absl::FailedPreconditionError(
        fmt::format("{}: holds {} sentence pairs; {} at least are needed", path,
                    pairs.size(), kLeastPairs));
  }
  const auto is_same = [&](const SentencePair& pair) {
    return pair.score == pairs[0].score;
  };
  if (std::all_of(pairs.begin(), pairs.end(), is_same)) {
    return absl::FailedPreconditionError(
        path + ": all pairs have one score, so that none ranks above another");
  }
  std::vector<std::string> texts;
  std::vector<double> people;
  for (SentencePair& pair : pairs) {
    people.push_back(pair.score);
    texts.push_back(std::move(pair.first));
    texts.push_back(std::move(pair.second));
  }
  const auto rho = [tokenizer = std::move(tokenizer), texts = std::move(texts),
                    people = std::move(people)](const BertModel& model) {
    const Embeddings embeddings = Embed(model, *tokenizer, texts);
    const size_t D = embeddings.size() / texts.size();
    std::vector<double> cosines;
    for (size_t i = 0; i < texts.size(); i += 2) {
      cosines.push_back(
          Cosine(Row(embeddings, i, D), Row(embeddings, i + 1, D)));
    }
    return Spearman(cosines, people);
  };
  return [rho, wanted = std::optional<double>()](
             const BertModel& reference,
             const BertModel& candidate) mutable -> absl::StatusOr<double> {
    if (!wanted) wanted = rho(reference);
    return kPoints * (*wanted - rho(candidate));
  };
}

CorrectorDrop TokenDrop(std::shared_ptr<const Bpe> tokenizer,
                        std::vector<std::string> texts) {
  return [tokenizer = std::move(tokenizer), texts = std::move(texts),
          wanted = Answers()](
             const BartModel& reference,
             const BartModel& candidate) mutable -> absl::StatusOr<double> {
    if (wanted.empty()) {
      ASSIGN_OR_RETURN(wanted, Answer(reference, *tokenizer, texts));
    }
    ASSIGN_OR_RETURN(const Answers found, Answer(candidate, *tokenizer, texts));
    return kPoints * ShareOfOtherTokens(wanted, found);
  };
}

absl::StatusOr<CorrectorDrop> ExactFixDrop(std::shared_ptr<const Bpe> tokenizer,
                                           const std::string& path) {
  std::vector<std::string> queries, corrected;
  RETURN_IF_ERROR(ForEachNamedRow(
      path, {"query", "corrected"},
      [&](const std::vector<std::string_view>& values) -> absl::Status {
        queries.emplace_back(values[0]);
        corrected.emplace_back(values[1]);
        return absl::OkStatus();
      }));
  if (queries.empty()) {
    return absl::FailedPreconditionError(path + ": holds no queries");
  }
  const auto fix = [tokenizer = std::move(tokenizer),
                    queries = std::move(queries),
                    corrected = std::move(corrected)](
                       const BartModel& model) -> absl::StatusOr<double> {
    ASSIGN_OR_RETURN(const Answers answers, Answer(model, *tokenizer, queries));
    size_t fixed = 0;
    for (size_t i = 0; i < answers.size(); ++i) {
      if (tokenizer->Decode(answers[i]) == corrected[i]) ++fixed;
    }
    return static_cast<double>(fixed) / static_cast<double>(answers.size());
  };
  return [fix, wanted = std::optional<double>()](
             const BartModel& reference,
             const BartModel& candidate) mutable -> absl::StatusOr<double> {
    if (!wanted) {
      ASSIGN_OR_RETURN(wanted, fix(reference));
    }
    ASSIGN_OR_RETURN(const double found, fix(candidate));
    return kPoints * (*wanted - found);
  };
}

absl::StatusOr<std::vector<std::string>> ReadCalibration(
    const std::string& path) {
  std::vector<std::string> lines;
  RETURN_IF_ERROR(
      ForEachRow(path, [&](const std::vector<std::string_view>& columns) {
        lines.emplace_back(columns[0]);
        return absl::OkStatus();
      }));
  if (lines.empty()) {
    return absl::FailedPreconditionError(path +
                                         ": holds no query; give one a line");
  }
  return lines;
}

const std::vector<std::string>& SampleQueries() {
  static const std::vector<std::string> queries = {
      "beetles yesterdy",
      "bohemian rapsody",
      "billie jean micheal jackson",
      "smells like teen spirit",
      "hotel califronia",
      "purple rain prince",
      "fleetwod mac dreams",
      "rolling in the deap",
      "daft punk get lucky",
      "queen radio ga ga",
      "stairway to heven",
      "imagin john lennon",
      "sweet child o mine",
      "like a rolling stone bob dylan",
      "born to run brus springsteen",
      "whats going on marvin gaye",
      "nina simone feeling good",
      "kind of blue",
      "miles davs so what",
      "beyonce halo",
      "adele someone like you",
      "taylor swft shake it off",
      "kendrick lamar humble",
      "eminem lose yourself",
      "outkast hey ya",
      "sad piano",
      "relaxing jazz for studying",
      "workout musik",
      "upbeat rock without vocals",
      "calm guitar for a podcast intro",
      "epic orchestral trailer",
      "happy ukulele",
      "dark ambient drone",
      "80s synthwave drive",
      "true crime podcast",
      "history of rome",
      "daily news in spanish",
      "interviews with scientists",
      "meditation for sleep",
      "comedy show about movies",
      "learn french slowly",
      "startup stories",
      "football talk",
      "bjork army of me",
      "sigur ros hoppipolla",
      "la vie en rose",
      "cafe tacvba eres",
      "despacto luis fonsi",
      "rosalia malamente",
      "bts dynamite",
      "j",
      "abba",
      "the",
      "acdc thunderstruck",
      "metalica nothing else maters",
      "pink floyd wish you were here",
      "radiohed creep",
      "arctic monkeys do i wanna know",
      "the weeknd blinding lights",
      "dua lipa levitatng",
      "coldplay yellow live",
      "song from the film with the dancing robot",
      "vivaldi four seasons winter",
      "johan sebastian bach cello suite"};
  return queries;
}

}  // namespace quaver
