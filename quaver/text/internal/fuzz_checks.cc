// Properties of normalisation and tokenizing.
#include "quaver/text/internal/fuzz_checks.h"

#include <algorithm>

#include "quaver/base/check.h"
#include "quaver/text/bpe.h"
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

// Cuts off what stands before the first zero byte, or all.
std::string_view CutAtZero(std::string_view* bytes) {
  const std::string_view part = bytes->substr(0, bytes->find('\0'));
  bytes->remove_prefix(std::min(part.size() + 1, bytes->size()));
  return part;
}

// Without added tokens the text comes back, but for bytes that have no token.
void CheckDecoding(const Bpe& tokenizer, std::string_view text,
                   std::span<const int32_t> ids) {
  std::string expected;
  std::string given = ToUtf8(ToCodePoints(text));
  if (tokenizer.spec().add_prefix_space && !given.starts_with(' ')) {
    if (!given.empty()) given = " " + given;
  }
  for (const char byte : given) {
    const auto character = ByteCharacter(static_cast<uint8_t>(byte));
    if (tokenizer.Find(character)) expected += byte;
  }
  QUAVER_CHECK(tokenizer.Decode(ids) == expected);
}

void CheckBpe(const BpeSpec& spec, std::string_view text) {
  const auto created = Bpe::FromSpec(spec);
  QUAVER_CHECK(created.ok());  // what was read can be used
  const Bpe& tokenizer = **created;
  const auto size = static_cast<int32_t>(tokenizer.vocab_size());
  const std::vector<int32_t> all =
      tokenizer.Encode(text, static_cast<int>(2 * text.size()) + 64);
  const size_t before = spec.before.size(), after = spec.after.size();
  for (const int max_tokens : {4, 5, 16}) {
    const std::vector<int32_t> ids = tokenizer.Encode(text, max_tokens);
    QUAVER_CHECK(ids.size() >= before + after);
    QUAVER_CHECK(ids.size() <= static_cast<size_t>(max_tokens));
    // Truncation keeps a beginning and the end.
    const auto end = ids.end() - static_cast<std::ptrdiff_t>(after);
    QUAVER_CHECK(std::equal(ids.begin(), end, all.begin()));
    QUAVER_CHECK(std::equal(end, ids.end(), spec.after.begin()));
  }
  for (const int32_t id : all) {
    QUAVER_CHECK(id >= 0 && id < size);
    tokenizer.Decode(std::vector<int32_t>{id, -id, size, id - 1});
  }
  if (!spec.added_tokens.empty()) return;
  CheckDecoding(tokenizer, text,
                std::span(all).subspan(before, all.size() - before - after));
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

void CheckBpeJson(std::string_view bytes) {
  const std::string_view file = CutAtZero(&bytes);
  const auto spec = ParseBpeJson(file);
  if (!spec.ok()) {
    QUAVER_CHECK(!spec.status().message().empty());
    return;
  }
  CheckBpe(*spec, bytes);
  const std::string written = ToTokenizerJson(*spec);
  const auto again = ParseBpeJson(written);
  QUAVER_CHECK(again.ok() && ToTokenizerJson(*again) == written);
}

void CheckBpeVocabulary(std::string_view bytes) {
  const std::string_view vocab = CutAtZero(&bytes);
  const auto spec = ParseBpeVocabulary(vocab, CutAtZero(&bytes));
  if (!spec.ok()) {
    QUAVER_CHECK(!spec.status().message().empty());
    return;
  }
  CheckBpe(*spec, bytes);
  const std::string written = ToTokenizerJson(*spec);
  for (const auto& again :
       {ParseBpeJson(written),
        ParseBpeVocabulary(ToVocabJson(*spec), ToMergesText(*spec))}) {
    QUAVER_CHECK(again.ok() && ToTokenizerJson(*again) == written);
  }
}

}  // namespace quaver
