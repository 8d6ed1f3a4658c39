// See text_reader.h.
#include "quaver/compile/text_reader.h"

#include <numeric>
#include <span>
#include <utility>

namespace quaver {

absl::Status CheckLengths(const TokenLists& texts, size_t max_tokens,
                          std::string_view use) {
  for (const auto& ids : texts) {
    if (!ids.empty() && ids.size() <= max_tokens) continue;
    return absl::InvalidArgumentError(
        fmt::format("a text to {} has {} tokens; the model reads 1 to {}", use,
                    ids.size(), max_tokens));
  }
  return absl::OkStatus();
}

EncoderReader::EncoderReader(const BertModel& model, size_t max_tokens)
    : model_(model),
      workspace_(model, max_tokens),
      embedding_(static_cast<size_t>(model.config().hidden_size)) {}

size_t EncoderReader::MaxTokens(const BertModel& model) {
  return static_cast<size_t>(model.config().max_positions);
}

void EncoderReader::Read(const std::vector<int32_t>& ids,
                         ProductObserver observer) {
  workspace_.Observe(model_, std::move(observer));
  const uint32_t offsets[] = {0, static_cast<uint32_t>(ids.size())};
  model_.Encode({ids, offsets}, workspace_, embedding_);
}

CorrectorReader::CorrectorReader(const BartModel& model, size_t max_tokens)
    : model_(model),
      workspace_(model, max_tokens),
      cache_(model, {max_tokens, max_tokens}) {}

size_t CorrectorReader::MaxTokens(const BartModel& model) {
  return static_cast<size_t>(model.config().max_positions);
}

void CorrectorReader::Read(const std::vector<int32_t>& ids,
                           ProductObserver observer) {
  workspace_.Observe(model_, std::move(observer));
  const auto T = static_cast<uint32_t>(ids.size());
  const uint32_t offsets[] = {0, T}, first[] = {0};
  model_.Encode({ids, offsets}, first, workspace_, cache_);
  // Row t holds token t - 1 and sees slots 0 to t.
  std::vector<int32_t> tokens = {model_.config().decoder_start_id};
  tokens.insert(tokens.end(), ids.begin(), ids.end() - 1);
  std::vector<uint32_t> places(T), seen, seen_offsets = {0};
  std::iota(places.begin(), places.end(), 0);
  for (uint32_t t = 0; t < T; ++t) {
    seen.insert(seen.end(), places.begin(), places.begin() + t + 1);
    seen_offsets.push_back(static_cast<uint32_t>(seen.size()));
  }
  const std::vector<uint32_t> begins(T, 0), ends(T, T);
  std::vector<float> logits(T *
                            static_cast<size_t>(model_.config().vocab_size));
  model_.Decode({tokens, places, places, seen, seen_offsets, begins, ends},
                workspace_, cache_, std::span(logits));
}

}  // namespace quaver
