// Normalisation: a byte table for ASCII, a table of foldings for the rest.
#include "quaver/text/normalize.h"

#include <array>

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "quaver/base/check.h"
#include "quaver/text/internal/fold.h"
#include "quaver/text/internal/utf8.h"

namespace quaver {
namespace {

// What each ASCII byte becomes; 0 is dropped.
constexpr std::array<char, 128> MakeAsciiFolds() {
  std::array<char, 128> folds{};
  for (int c = 0; c < 128; ++c) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool word = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    folds[c] = static_cast<char>(upper ? c + 32 : word ? c : ' ');
  }
  folds['\''] = 0;
  folds['`'] = 0;
  return folds;
}

constexpr std::array<char, 128> kAsciiFolds = MakeAsciiFolds();

// A code point of the result and the byte of the original that it came from.
struct Folded {
  char32_t code_point;
  uint32_t source;
};

// Collects the result: squeezes and trims spaces, remembers sources if asked.
class Writer {
 public:
  Writer(size_t capacity, std::vector<uint32_t>* source) : source_(source) {
    text_.reserve(capacity);
  }

  void Add(char32_t code_point, size_t from) {
    if (code_point == U' ') {
      if (!space_) space_source_ = from;
      space_ = true;
      return;
    }
    if (space_ && !text_.empty()) Put(U' ', space_source_);
    space_ = false;
    Put(code_point, from);
  }

  std::string Finish(size_t original_size) {
    if (source_ != nullptr) {
      source_->push_back(static_cast<uint32_t>(original_size));
    }
    return std::move(text_);
  }

  bool empty() const { return text_.empty(); }

 private:
  void Put(char32_t code_point, size_t from) {
    AppendUtf8(code_point, &text_);
    if (source_ != nullptr) {
      source_->resize(text_.size(), static_cast<uint32_t>(from));
    }
  }

  std::string text_;
  std::vector<uint32_t>* source_;
  bool space_ = false;
  size_t space_source_ = 0;
};

// Calls add(code point, source byte) for each folded code point, before
// composition. Returns whether composition may change the outcome.
template <typename Add>
bool ForEachFolded(std::string_view text, const Add& add) {
  const FoldTable& table = FoldTable::Get();
  bool may_compose = false;
  for (size_t i = 0; i < text.size();) {
    const size_t from = i;
    const char32_t c = NextCodePoint(text, &i);
    if (c >= FoldTable::kEnd) {
      for (const char32_t part : FoldCodePoint(c)) {
        add(part, from);
        may_compose |= MayCompose(part);
      }
      continue;
    }
    const FoldTable::Entry entry = table.Find(c);
    if (entry.empty()) continue;
    may_compose |= entry.may_compose();
    if (!entry.many()) {
      add(entry.value(), from);
    } else {
      for (const char32_t part : table.Expansion(entry)) add(part, from);
    }
  }
  return may_compose;
}

// Composes folded[begin, end), one run without an inner NFC boundary; all of
// it comes from where its first code point came from.
void AddComposed(const std::vector<Folded>& folded, size_t begin, size_t end,
                 Writer* writer) {
  if (end - begin == 1) {
    writer->Add(folded[begin].code_point, folded[begin].source);
    return;
  }
  icu::UnicodeString run;
  for (size_t i = begin; i < end; ++i) {
    run.append(static_cast<UChar32>(folded[i].code_point));
  }
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  QUAVER_CHECK(U_SUCCESS(error));
  run = nfc->normalize(run, error);
  QUAVER_CHECK(U_SUCCESS(error));
  for (int32_t i = 0; i < run.length(); i = run.moveIndex32(i, 1)) {
    writer->Add(static_cast<char32_t>(run.char32At(i)), folded[begin].source);
  }
}

std::string NormalizeComposing(std::string_view text,
                               std::vector<uint32_t>* source) {
  std::vector<Folded> folded;
  ForEachFolded(text, [&folded](char32_t c, size_t from) {
    folded.push_back({c, static_cast<uint32_t>(from)});
  });
  Writer writer(text.size(), source);
  for (size_t begin = 0; begin < folded.size();) {
    size_t end = begin + 1;
    while (end < folded.size() && MayCompose(folded[end].code_point)) ++end;
    AddComposed(folded, begin, end, &writer);
    begin = end;
  }
  return writer.Finish(text.size());
}

// For a text without any word: its symbols.
std::string NormalizeSymbols(std::string_view text,
                             std::vector<uint32_t>* source) {
  Writer writer(text.size(), source);
  for (size_t i = 0; i < text.size();) {
    const size_t from = i;
    for (const char32_t c : FoldSymbol(NextCodePoint(text, &i))) {
      writer.Add(c, from);
    }
  }
  return writer.Finish(text.size());
}

std::string NormalizeUnicode(std::string_view text,
                             std::vector<uint32_t>* source) {
  Writer writer(text.size() + text.size() / 4, source);
  const bool may_compose = ForEachFolded(
      text, [&writer](char32_t c, size_t from) { writer.Add(c, from); });
  if (may_compose) {
    if (source != nullptr) source->clear();
    return NormalizeComposing(text, source);
  }
  if (writer.empty()) return NormalizeSymbols(text, source);
  return writer.Finish(text.size());
}

// Folds ASCII into `result` (room for all of `text`) and returns its size, or
// -1 at the first byte that is not ASCII.
int64_t FoldAscii(std::string_view text, char* result) {
  char* out = result;
  bool space = true;  // the last thing written, or the beginning
  for (const char byte : text) {
    if (byte & 0x80) return -1;
    const char folded = kAsciiFolds[byte];
    *out = folded;
    const bool is_space = folded == ' ';
    out += folded != 0 && !(is_space && space);
    space = folded == 0 ? space : is_space;
  }
  if (out != result && out[-1] == ' ') --out;
  return out - result;
}

}  // namespace

std::string Normalize(std::string_view text) {
  std::string result(text.size(), '\0');
  const int64_t size = FoldAscii(text, result.data());
  if (size < 0) return NormalizeUnicode(text, nullptr);
  if (size == 0) return NormalizeSymbols(text, nullptr);
  result.resize(static_cast<size_t>(size));
  return result;
}

NormalizedText NormalizeWithSource(std::string_view text) {
  NormalizedText result;
  result.text = NormalizeUnicode(text, &result.source);
  return result;
}

std::vector<std::string_view> SplitWords(std::string_view normalized) {
  std::vector<std::string_view> words;
  for (size_t begin = 0; begin < normalized.size();) {
    size_t end = normalized.find(' ', begin);
    if (end == std::string_view::npos) end = normalized.size();
    if (end > begin) words.push_back(normalized.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::string CleanUtf8(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    const char32_t c = NextCodePoint(bytes, &i);
    const bool control = u_charType(static_cast<UChar32>(c)) == U_CONTROL_CHAR;
    AppendUtf8(control ? U' ' : c, &result);
  }
  const size_t begin = result.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  const size_t end = result.find_last_not_of(' ') + 1;
  return result.substr(begin, end - begin);
}

std::u32string ToCodePoints(std::string_view utf8) {
  std::u32string result;
  result.reserve(utf8.size());
  for (size_t i = 0; i < utf8.size();) {
    result.push_back(NextCodePoint(utf8, &i));
  }
  return result;
}

std::string ToUtf8(std::u32string_view code_points) {
  std::string result;
  result.reserve(code_points.size());
  for (const char32_t c : code_points) {
    AppendUtf8(U_IS_UNICODE_CHAR(c) || (c < 0x110000 && !U_IS_SURROGATE(c))
                   ? c
                   : U'\uFFFD',
               &result);
  }
  return result;
}

}  // namespace quaver
