// Encoding: added tokens, words, merges.
#include "quaver/text/bpe.h"

#include <algorithm>
#include <array>
#include <queue>
#include <unordered_map>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/file.h"
#include "quaver/text/internal/added_tokens.h"
#include "quaver/text/internal/byte_level.h"
#include "quaver/text/internal/utf8.h"

namespace quaver {
namespace {

constexpr int32_t kNone = -1;

struct Merge {
  int32_t rank = 0;
  int32_t id = 0;
};
using Merges = std::unordered_map<uint64_t, Merge>;

uint64_t PairKey(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 |
         static_cast<uint32_t>(right);
}

// One word's symbols as a list in an array: always the best merge first, the
// leftmost of equal ones.
class WordMerger {
 public:
  WordMerger(const Merges& merges, const BpeDropout& dropout)
      : merges_(merges), dropout_(dropout) {}

  // Appends the word's ids. `symbols` are those of its bytes.
  void Run(std::span<const int32_t> symbols, std::vector<int32_t>* ids);

 private:
  struct Symbol {
    int32_t id = 0;
    int32_t before = 0, after = 0;  // kNone at the ends
  };
  struct Candidate {
    Merge merge;
    int32_t at = 0;
    int32_t left = 0, right = 0;  // ids then: it may have become stale

    bool operator<(const Candidate& other) const {  // the last is taken first
      return std::pair(merge.rank, at) > std::pair(other.merge.rank, other.at);
    }
  };

  void Consider(int32_t at);
  void Apply(const Candidate& candidate);

  const Merges& merges_;
  const BpeDropout& dropout_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Candidate> candidates_;
};

void WordMerger::Consider(int32_t at) {
  if (at == kNone || symbols_[at].after == kNone) return;
  const int32_t left = symbols_[at].id;
  const int32_t right = symbols_[symbols_[at].after].id;
  const auto merge = merges_.find(PairKey(left, right));
  if (merge == merges_.end()) return;
  candidates_.push({merge->second, at, left, right});
}

void WordMerger::Apply(const Candidate& candidate) {
  if (dropout_.share > 0 && dropout_.random->Chance(dropout_.share)) return;
  Symbol& symbol = symbols_[candidate.at];
  const int32_t next = symbol.after;
  if (symbol.id != candidate.left || next == kNone ||
      symbols_[next].id != candidate.right) {
    return;
  }
  symbol.id = candidate.merge.id;
  symbol.after = symbols_[next].after;
  symbols_[next].id = kNone;
  if (symbol.after != kNone) symbols_[symbol.after].before = candidate.at;
  Consider(symbol.before);
  Consider(candidate.at);
}

void WordMerger::Run(std::span<const int32_t> symbols,
                     std::vector<int32_t>* ids) {
  const auto size = static_cast<int32_t>(symbols.size());
  symbols_.clear();
  for (int32_t i = 0; i < size; ++i) {
    symbols_.push_back({symbols[i], i - 1, i + 1 < size ? i + 1 : kNone});
  }
  for (int32_t i = 0; i < size; ++i) Consider(i);
  while (!candidates_.empty()) {
    const Candidate best = candidates_.top();
    candidates_.pop();
    Apply(best);
  }
  for (const Symbol& symbol : symbols_) {
    if (symbol.id != kNone) ids->push_back(symbol.id);
  }
}

}  // namespace

struct Bpe::Impl {
  explicit Impl(BpeSpec spec_)
      : spec(std::move(spec_)), added(spec.added_tokens) {}

  BpeSpec spec;
  AddedTokens<BpeSpec::AddedToken> added;
  std::unordered_map<std::string, int32_t> ids;
  std::vector<std::string> texts;  // by id, as bytes; empty for special ones
  std::array<int32_t, 256> byte_ids{};
  Merges merges;

  void EncodeWords(std::string_view text, size_t max_ids,
                   const BpeDropout& dropout, std::vector<int32_t>* out) const;
};

// A text without added tokens. May give some ids more than `max_ids`.
void Bpe::Impl::EncodeWords(std::string_view text, size_t max_ids,
                            const BpeDropout& dropout,
                            std::vector<int32_t>* out) const {
  if (text.empty()) return;
  std::string prefixed;
  if (spec.add_prefix_space && text[0] != ' ') {
    prefixed.reserve(text.size() + 1);
    prefixed.append(" ").append(text);
    text = prefixed;
  }
  WordMerger merger(merges, dropout);
  std::vector<int32_t> symbols;
  for (size_t begin = 0; begin < text.size() && out->size() < max_ids;) {
    const size_t end = ByteLevelWordEnd(text, begin);
    symbols.clear();
    for (; begin < end; ++begin) {
      const int32_t id = byte_ids[static_cast<uint8_t>(text[begin])];
      if (id != kNone) symbols.push_back(id);
    }
    merger.Run(symbols, out);
  }
}

Bpe::Bpe(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Bpe::~Bpe() = default;

absl::StatusOr<std::unique_ptr<const Bpe>> Bpe::Load(
    const std::string& folder) {
  return Load(ReaderOf(folder), folder);
}

absl::StatusOr<std::unique_ptr<const Bpe>> Bpe::Load(const FileReader& read,
                                                     const std::string& where) {
  const auto build = [](absl::StatusOr<BpeSpec> spec, const std::string& name)
      -> absl::StatusOr<std::unique_ptr<const Bpe>> {
    if (!spec.ok()) return Annotate(spec.status(), name);
    return FromSpec(*std::move(spec));
  };
  constexpr char kJson[] = "tokenizer.json";
  const absl::StatusOr<std::string> json = read(kJson);
  if (json.ok()) return build(ParseBpeJson(*json), where + "/" + kJson);
  if (!absl::IsNotFound(json.status())) return json.status();
  const absl::StatusOr<std::string> vocab = read("vocab.json");
  if (absl::IsNotFound(vocab.status())) {
    return absl::NotFoundError(fmt::format(
        "{}: holds neither tokenizer.json nor vocab.json; give a folder with "
        "a byte-level BPE tokenizer",
        where));
  }
  RETURN_IF_ERROR(vocab.status());
  ASSIGN_OR_RETURN(const std::string merges, read("merges.txt"));
  return build(ParseBpeVocabulary(*vocab, merges), where);
}

absl::StatusOr<std::unique_ptr<const Bpe>> Bpe::FromSpec(BpeSpec spec) {
  auto impl = std::make_unique<Impl>(std::move(spec));
  int32_t size = 0;
  for (const auto& [token, id] : impl->spec.vocab) {
    impl->ids.emplace(token, id);
    size = std::max(size, id + 1);
  }
  for (const auto& token : impl->spec.added_tokens) {
    size = std::max(size, token.id + 1);
  }
  impl->texts.resize(size);
  for (const auto& [token, id] : impl->spec.vocab) {
    impl->texts[id] = TokenBytes(token);
  }
  for (const auto& token : impl->spec.added_tokens) {
    impl->texts[token.id] = token.special ? "" : token.text;
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto at = impl->ids.find(std::string(ByteCharacter(byte)));
    impl->byte_ids[byte] = at == impl->ids.end() ? kNone : at->second;
  }
  int32_t rank = 0;
  for (const auto& [left, right] : impl->spec.merges) {
    const auto merged = impl->ids.find(left + right);
    const auto l = impl->ids.find(left), r = impl->ids.find(right);
    if (merged == impl->ids.end() || l == impl->ids.end() ||
        r == impl->ids.end()) {
      return absl::InvalidArgumentError(fmt::format(
          "the merge '{} {}' is not in the vocabulary", left, right));
    }
    impl->merges.emplace(PairKey(l->second, r->second),
                         Merge{rank++, merged->second});
  }
  return std::unique_ptr<const Bpe>(new Bpe(std::move(impl)));
}

std::vector<int32_t> Bpe::Encode(std::string_view text, int max_tokens,
                                 const BpeDropout& dropout) const {
  const BpeSpec& spec = impl_->spec;
  const size_t around = spec.before.size() + spec.after.size();
  QUAVER_CHECK(static_cast<size_t>(max_tokens) >= around);
  const size_t max_ids = max_tokens - spec.after.size();
  std::string replaced;
  if (!IsAscii(text)) {
    replaced.reserve(text.size());
    for (size_t i = 0; i < text.size();) {
      AppendUtf8(NextCodePoint(text, &i), &replaced);
    }
    text = replaced;
  }
  std::vector<int32_t> ids = spec.before;
  size_t begin = 0;  // of the text since the last added token
  for (size_t at = 0; at < text.size() && ids.size() < max_ids;) {
    const BpeSpec::AddedToken* added = impl_->added.Find(text, at);
    if (added == nullptr) {
      ++at;
      continue;
    }
    std::string_view words = text.substr(begin, at - begin);
    while (added->lstrip && !words.empty()) {
      size_t last = words.size() - 1;
      while (last > 0 && (words[last] & 0xC0) == 0x80) --last;
      size_t next = last;
      if (!IsSpace(NextCodePoint(words, &next))) break;
      words = words.substr(0, last);
    }
    impl_->EncodeWords(words, max_ids, dropout, &ids);
    ids.push_back(added->id);
    at += added->text.size();
    while (added->rstrip && at < text.size()) {
      size_t next = at;
      if (!IsSpace(NextCodePoint(text, &next))) break;
      at = next;
    }
    begin = at;
  }
  impl_->EncodeWords(text.substr(begin), max_ids, dropout, &ids);
  if (ids.size() > max_ids) ids.resize(max_ids);
  ids.insert(ids.end(), spec.after.begin(), spec.after.end());
  return ids;
}

std::string Bpe::Decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    if (id >= 0 && static_cast<size_t>(id) < impl_->texts.size()) {
      text += impl_->texts[id];
    }
  }
  return text;
}

std::optional<int32_t> Bpe::Find(std::string_view token) const {
  const auto at = impl_->ids.find(std::string(token));
  if (at == impl_->ids.end()) return std::nullopt;
  return at->second;
}

int Bpe::vocab_size() const { return static_cast<int>(impl_->texts.size()); }

const BpeSpec& Bpe::spec() const { return impl_->spec; }

}  // namespace quaver
