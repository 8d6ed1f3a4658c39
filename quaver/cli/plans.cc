// See plans.h.
#include "quaver/cli/plans.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "quaver/artifact/model_identity.h"
#include "quaver/backends/tokenizers.h"
#include "quaver/base/file.h"
#include "quaver/base/log.h"
#include "quaver/eval/model_quality.h"

namespace quaver {
namespace {

// Of the XDG Base Directory Specification; empty where there is no home.
std::string CacheFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/quaver";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') {
    return std::string(home) + "/.cache/quaver";
  }
  return "";
}

std::vector<std::string> PlacesFor(const std::string& folder,
                                   const std::string& hash) {
  std::vector<std::string> places = {folder + "/int8.plan"};
  const std::string cache = CacheFolder();
  if (!cache.empty()) places.push_back(fmt::format("{}/{}.plan", cache, hash));
  return places;
}

// Damaged plans, and those of an older program, are made anew.
bool IsPlanOf(const std::string& plan, const std::string& hash) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(plan, error)) return false;
  const auto identity = IdentifyModel(plan);
  return identity.ok() && identity->hash == hash;
}

absl::StatusOr<std::vector<std::string>> TextsOf(
    const std::string& calibration) {
  if (calibration.empty()) return SampleQueries();
  return ReadCalibration(calibration);
}

template <typename Tokenizer>
TokenLists Tokens(const Tokenizer& tokenizer,
                  const std::vector<std::string>& texts, int max_tokens) {
  TokenLists lists;
  for (const std::string& text : texts) {
    lists.push_back(tokenizer.Encode(text, max_tokens));
  }
  return lists;
}

void Tell(const std::string& folder, const std::string& plan,
          const CompileReport& report) {
  const Precision precision = report.products.front().precision;
  if (precision != Precision::kInt8) {
    LogWarning(
        "{} is in {}, which is slower: int8 answers otherwise than it does; "
        "`quaver compile` with its own queries may find what can be int8",
        folder, Name(precision));
  }
  LogInfo("kept as {}: {:.1f} MB, {:.2f} points of quality lost, {:.1f} s",
          plan, static_cast<double>(report.plan_bytes) * 1e-6, report.drop,
          report.seconds);
}

}  // namespace

absl::StatusOr<CompileReport> CompileModel(CompileOptions options,
                                           const std::string& calibration,
                                           const std::string& quality_data) {
  const std::string& folder = options.checkpoint;
  ASSIGN_OR_RETURN(const ModelKind kind, ReadModelKind(folder));
  ASSIGN_OR_RETURN(std::vector<std::string> texts, TextsOf(calibration));
  if (kind == ModelKind::kEncoder) {
    ASSIGN_OR_RETURN(std::shared_ptr<const WordPiece> tokenizer,
                     LoadWordPiece(folder));
    ASSIGN_OR_RETURN(const BertConfig config, ReadBertConfig(folder));
    options.calibration.texts = Tokens(*tokenizer, texts, config.max_tokens);
    EncoderDrop drop = CosineDrop(tokenizer, std::move(texts));
    if (!quality_data.empty()) {
      ASSIGN_OR_RETURN(drop, SpearmanDrop(tokenizer, quality_data));
    }
    return CompileEncoder(options, drop);
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const Bpe> tokenizer, LoadBpe(folder));
  ASSIGN_OR_RETURN(const BartConfig config, ReadBartConfig(folder));
  options.calibration.texts = Tokens(*tokenizer, texts, config.max_positions);
  CorrectorDrop drop = TokenDrop(tokenizer, std::move(texts));
  if (!quality_data.empty()) {
    ASSIGN_OR_RETURN(drop, ExactFixDrop(tokenizer, quality_data));
  }
  return CompileCorrector(options, drop);
}

absl::StatusOr<std::vector<ProductError>> VerifyPlan(
    const std::string& checkpoint, const std::string& plan,
    const std::string& calibration) {
  ASSIGN_OR_RETURN(const ModelKind kind, ReadModelKind(checkpoint));
  ASSIGN_OR_RETURN(const std::vector<std::string> texts, TextsOf(calibration));
  if (kind == ModelKind::kEncoder) {
    ASSIGN_OR_RETURN(const auto fp32,
                     BertModel::Load(checkpoint, BestKernels()));
    ASSIGN_OR_RETURN(const auto model, BertModel::Load(plan, BestKernels()));
    ASSIGN_OR_RETURN(const auto tokenizer, LoadWordPiece(checkpoint));
    return VerifyEncoder(*fp32, *model,
                         Tokens(*tokenizer, texts, fp32->config().max_tokens));
  }
  ASSIGN_OR_RETURN(const auto fp32, BartModel::Load(checkpoint, BestKernels()));
  ASSIGN_OR_RETURN(const auto model, BartModel::Load(plan, BestKernels()));
  ASSIGN_OR_RETURN(const auto tokenizer, LoadBpe(checkpoint));
  return VerifyCorrector(
      *fp32, *model, Tokens(*tokenizer, texts, fp32->config().max_positions));
}

absl::StatusOr<std::string> ReadyPlan(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return path;
  ASSIGN_OR_RETURN(const ModelIdentity identity, IdentifyModel(path));
  const auto places = PlacesFor(path, identity.hash);
  for (const std::string& place : places) {
    if (IsPlanOf(place, identity.hash)) return place;
  }
  LogInfo("compiling {} to int8, once", path);
  absl::Status failure;
  for (const std::string& place : places) {
    failure = MakeFolders(std::filesystem::path(place).parent_path().string());
    if (!failure.ok()) continue;
    const auto report = CompileModel(
        {.checkpoint = path, .plan = place, .search = PrecisionSearch::kNever},
        "", "");
    if (report.ok()) {
      Tell(path, place, *report);
      return place;
    }
    failure = report.status();
  }
  // No place would have taken it: the folder is to blame.
  if (absl::IsInvalidArgument(failure) || absl::IsUnimplemented(failure)) {
    return failure;
  }
  LogWarning(
      "{} is used in fp32, which is slower: {}; make a plan by `quaver "
      "compile` and give it in place of the folder",
      path, Message(failure));
  return path;
}

}  // namespace quaver
