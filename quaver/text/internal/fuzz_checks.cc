// Properties of normalisation and tokenizing.
#include "quaver/text/internal/fuzz_checks.h"

#include <algorithm>

#include "quaver/base/check.h"
#include "quaver/text/edit_distance.h"
#include "quaver/text/normalize.h"
#include "quaver/text/wordpiece.h"

namespace quaver {
namespace {

bool IsValidUtf8(std::string_view text) {
  return ToUtf8(ToCodePoints(text)) == text;
}

void CheckEncoding(const WordPiece& tokenizer, std::string_view text) {
  for (const int max_tokens : {2, 3, 64}) {
    const std::vector<int32_t> ids = tokenizer.Encode(text, max_tokens);
    QUAVER_CHECK(ids.size() >= 2);
    QUAVER_CHECK(ids.size() <= static_cast<size_t>(max_tokens));
    for (const int32_t id : ids) {
      QUAVER_CHECK(id >= 0 && id < tokenizer.vocab_size());
    }
  }
  // Truncation keeps a beginning.
  const std::vector<int32_t> all = tokenizer.Encode(text, 1000);
  const std::vector<int32_t> some = tokenizer.Encode(text, 8);
  QUAVER_CHECK(std::equal(some.begin(), some.end() - 1, all.begin()));
}

constexpr std::string_view kSmallTokenizer = R"({
  "added_tokens": [{"id": 3, "content": "[MASK]", "normalized": false}],
  "normalizer": {"type": "BertNormalizer", "lowercase": true},
  "pre_tokenizer": {"type": "BertPreTokenizer"},
  "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 1],
                     "sep": ["[SEP]", 2]},
  "model": {"type": "WordPiece", "unk_token": "[UNK]",
    "continuing_subword_prefix": "##", "max_input_chars_per_word": 5,
    "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[MASK]": 3, "a": 4,
              "##a": 5, "ab": 6, "##b": 7, "!": 8, "е": 9, "##东": 10}}})";

}  // namespace

void CheckNormalize(std::string_view bytes) {
  const std::string once = Normalize(bytes);
  QUAVER_CHECK(IsValidUtf8(once));
  QUAVER_CHECK(Normalize(once) == once);
  const NormalizedText with_source = NormalizeWithSource(bytes);
  QUAVER_CHECK(with_source.text == once);
  QUAVER_CHECK(with_source.source.size() == once.size() + 1);
  QUAVER_CHECK(with_source.source.back() == bytes.size());
  QUAVER_CHECK(
      std::is_sorted(with_source.source.begin(), with_source.source.end()));
  QUAVER_CHECK(IsValidUtf8(CleanUtf8(bytes)));
  const EditPattern pattern(once);
  QUAVER_CHECK(pattern.Osa(once) == 0 && pattern.Indel(once) == 0);
}

void CheckTokenizerJson(std::string_view bytes) {
  const auto tokenizer = WordPiece::FromJson(bytes);
  if (!tokenizer.ok()) {
    QUAVER_CHECK(!tokenizer.status().message().empty());
    return;
  }
  CheckEncoding(**tokenizer, "The sun, \u00C9t\u00E9! [MASK] \u4E1C\xFF");
}

void CheckWordPiece(std::string_view bytes) {
  static const std::unique_ptr<const WordPiece> tokenizer =
      WordPiece::FromJson(kSmallTokenizer).value();
  CheckEncoding(*tokenizer, bytes);
}

}  // namespace quaver
