// Encoding: added tokens, normalised words, pieces.
#include "quaver/text/wordpiece.h"

#include <algorithm>
#include <array>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/file.h"
#include "quaver/text/internal/added_tokens.h"
#include "quaver/text/internal/bert_normalizer.h"
#include "quaver/text/internal/piece_trie.h"
#include "quaver/text/internal/utf8.h"
#include "quaver/text/internal/wordpiece_spec.h"

namespace quaver {

struct WordPiece::Impl {
  explicit Impl(WordPieceSpec spec_);

  // Null for ids that are none or special.
  const PieceTrie::Piece* Find(int32_t id) const;

  WordPieceSpec spec;  // pieces by id, without special tokens
  BertNormalizer normalizer;
  PieceTrie trie;
  AddedTokens<WordPieceSpec::AddedToken> added;
};

WordPiece::Impl::Impl(WordPieceSpec spec_)
    : spec(std::move(spec_)),
      normalizer(spec.normalizer),
      trie(spec.pieces),
      added(spec.added_tokens) {
  std::vector<int32_t> special = {spec.cls_id, spec.sep_id};
  for (const auto& token : spec.added_tokens) special.push_back(token.id);
  std::sort(special.begin(), special.end());
  std::erase_if(spec.pieces, [&](const PieceTrie::Piece& piece) {
    return std::binary_search(special.begin(), special.end(), piece.id);
  });
  std::stable_sort(spec.pieces.begin(), spec.pieces.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
}

const PieceTrie::Piece* WordPiece::Impl::Find(int32_t id) const {
  const auto found = std::lower_bound(
      spec.pieces.begin(), spec.pieces.end(), id,
      [](const auto& piece, int32_t wanted) { return piece.id < wanted; });
  const bool is_there = found != spec.pieces.end() && found->id == id;
  return is_there ? &*found : nullptr;
}

namespace {

using Class = BertNormalizer::Class;

// Gathers characters into words and words into ids, up to a limit.
class WordSink {
 public:
  WordSink(const WordPieceSpec& spec, const PieceTrie& trie, size_t max_ids,
           std::vector<int32_t>* ids)
      : spec_(spec), trie_(trie), max_ids_(max_ids), ids_(ids) {}

  // Both return false once there are enough ids.
  bool Add(char32_t code_point, Class category);
  bool EndWord();

 private:
  void Append(char32_t code_point);

  const WordPieceSpec& spec_;
  const PieceTrie& trie_;
  const size_t max_ids_;
  std::vector<int32_t>* ids_;
  std::string word_;
  size_t word_chars_ = 0;
};

// Too long a word is unknown whatever it holds.
inline void WordSink::Append(char32_t code_point) {
  if (++word_chars_ <= spec_.max_word_chars) AppendUtf8(code_point, &word_);
}

inline bool WordSink::Add(char32_t code_point, Class category) {
  if (category == Class::kLetter) [[likely]] {
    Append(code_point);
    return true;
  }
  if (!EndWord()) return false;
  if (category != Class::kAlone) return true;
  Append(code_point);
  return EndWord();
}

bool WordSink::EndWord() {
  if (word_chars_ == 0) return true;
  if (word_chars_ > spec_.max_word_chars || !trie_.Segment(word_, ids_)) {
    ids_->push_back(spec_.unk_id);
  }
  word_.clear();
  word_chars_ = 0;
  return ids_->size() < max_ids_;
}

}  // namespace

WordPiece::WordPiece(std::unique_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}
WordPiece::~WordPiece() = default;

absl::StatusOr<std::unique_ptr<const WordPiece>> WordPiece::FromSpec(
    absl::StatusOr<WordPieceSpec> spec, const std::string& source) {
  if (!spec.ok()) return Annotate(spec.status(), source);
  auto impl = std::make_unique<const Impl>(*std::move(spec));
  return std::unique_ptr<const WordPiece>(new WordPiece(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<const WordPiece>> WordPiece::FromJson(
    std::string_view tokenizer_json) {
  return FromSpec(ParseTokenizerJson(tokenizer_json), "tokenizer.json");
}

absl::StatusOr<std::unique_ptr<const WordPiece>> WordPiece::Load(
    const std::string& folder) {
  return Load(ReaderOf(folder), folder);
}

absl::StatusOr<std::unique_ptr<const WordPiece>> WordPiece::Load(
    const FileReader& read, const std::string& where) {
  constexpr char kJson[] = "tokenizer.json";
  const absl::StatusOr<std::string> json = read(kJson);
  if (json.ok()) {
    return FromSpec(ParseTokenizerJson(*json), where + "/" + kJson);
  }
  if (!absl::IsNotFound(json.status())) return json.status();
  const absl::StatusOr<std::string> vocab = read("vocab.txt");
  if (absl::IsNotFound(vocab.status())) {
    return absl::NotFoundError(fmt::format(
        "{}: holds neither tokenizer.json nor vocab.txt; give a folder with "
        "a BERT checkpoint",
        where));
  }
  RETURN_IF_ERROR(vocab.status());
  ASSIGN_OR_RETURN(const std::string config, read("tokenizer_config.json"));
  return FromSpec(ParseVocabulary(*vocab, config), where);
}

std::vector<int32_t> WordPiece::Encode(std::string_view text,
                                       int max_tokens) const {
  QUAVER_CHECK(max_tokens >= 2);
  const size_t max_ids = static_cast<size_t>(max_tokens) - 1;
  std::vector<int32_t> ids;
  ids.reserve(std::min(max_ids + 1, 2 + text.size() / 3));
  ids.push_back(impl_->spec.cls_id);
  WordSink sink(impl_->spec, impl_->trie, max_ids, &ids);
  const auto add = [&sink](char32_t c, Class category) {
    return sink.Add(c, category);
  };
  const size_t max_marks = impl_->spec.max_word_chars + 1;
  size_t begin = 0;  // of the text since the last added token
  for (size_t i = 0; i < text.size() && ids.size() < max_ids;) {
    const WordPieceSpec::AddedToken* added = impl_->added.Find(text, i);
    if (added == nullptr) {
      ++i;
      continue;
    }
    impl_->normalizer.ForEach(text.substr(begin, i - begin), max_marks, add);
    if (sink.EndWord()) ids.push_back(added->id);
    i += added->text.size();
    begin = i;
  }
  if (ids.size() < max_ids) {
    impl_->normalizer.ForEach(text.substr(begin), max_marks, add);
    sink.EndWord();
  }
  if (ids.size() > max_ids) ids.resize(max_ids);
  ids.push_back(impl_->spec.sep_id);
  return ids;
}

std::string WordPiece::Decode(std::span<const int32_t> ids) const {
  // What `tokenizers` cleans up within one token.
  static constexpr std::array<std::string_view, 9> kNoSpaceBefore = {
      ".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
  std::string text;
  bool is_first = true;
  for (const int32_t id : ids) {
    const PieceTrie::Piece* piece = impl_->Find(id);
    if (piece == nullptr) continue;
    if (piece->continues) {
      if (is_first) text += "##";
    } else if (!is_first &&
               std::none_of(kNoSpaceBefore.begin(), kNoSpaceBefore.end(),
                            [&](std::string_view beginning) {
                              return piece->text.starts_with(beginning);
                            })) {
      text += ' ';
    }
    text += piece->text;
    is_first = false;
  }
  return text;
}

int32_t WordPiece::pad_id() const {
  for (const WordPieceSpec::AddedToken& token : impl_->spec.added_tokens) {
    if (token.text == "[PAD]") return token.id;
  }
  return 0;
}

int WordPiece::vocab_size() const { return impl_->spec.vocab_size; }

}  // namespace quaver
