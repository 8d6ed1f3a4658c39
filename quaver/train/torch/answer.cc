// See answer.h.
#include "quaver/train/torch/answer.h"

#include <algorithm>
#include <vector>

#include "quaver/text/bpe.h"
#include "quaver/text/compare.h"
#include "quaver/train/fused.h"
#include "quaver/train/torch/checkpoint.h"
#include "quaver/train/torch/trainer.h"

namespace quaver {
namespace {

constexpr size_t kLinesAtOnce = 256;

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin);
}

}  // namespace

absl::Status AnswerLines(const AnswerOptions& options, std::istream& in,
                         std::ostream& out) {
  ASSIGN_OR_RETURN(const BartShape shape, LoadBartShape(options.model));
  ASSIGN_OR_RETURN(const auto tokenizer, Bpe::Load(options.model));
  TrainerConfig config;
  config.shape = shape;
  ASSIGN_OR_RETURN(config.compute, ChooseType(options.precision, at::kCPU));
  Trainer trainer(config);
  RETURN_IF_ERROR(LoadWeights(options.model, trainer.parameters()));
  const int64_t longest =
      std::min<int64_t>(shape.max_positions, Attention<float>::kMaxLength);
  std::vector<std::string> lines;
  const auto flush = [&] {
    PackedTexts sources;
    std::vector<size_t> asked;
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string text = ComparableText(lines[i]);
      if (text.empty()) continue;
      asked.push_back(i);
      sources.Add(tokenizer->Encode(text, static_cast<int>(longest)));
    }
    const auto answers =
        trainer.Answer(sources, std::min(options.max_tokens, longest));
    for (size_t i = 0; i < asked.size(); ++i) {
      lines[asked[i]] = Trimmed(tokenizer->Decode(answers[i]));
    }
    for (const std::string& line : lines) out << line << "\n";
    lines.clear();
  };
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
    if (lines.size() == kLinesAtOnce) flush();
  }
  if (!lines.empty()) flush();
  return absl::OkStatus();
}

}  // namespace quaver
