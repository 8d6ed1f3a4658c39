// See bpe_trainer.h.
#include "quaver/text/bpe_trainer.h"

#include <algorithm>
#include <optional>
#include <queue>
#include <unordered_set>
#include <utility>
#include <vector>

#include "quaver/text/internal/byte_level.h"
#include "quaver/text/internal/utf8.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr std::string_view kSpecial[] = {"<s>", "<pad>", "</s>", "<unk>",
                                         "<mask>"};
constexpr int kNumSpecial = 5;
constexpr int kNumBytes = 256;

using Pair = std::pair<int32_t, int32_t>;

struct PairHash {
  size_t operator()(const Pair& pair) const {
    const auto key = static_cast<uint64_t>(pair.first) << 32 |
                     static_cast<uint32_t>(pair.second);
    return key * 0x9E3779B97F4A7C15ull >> 16;
  }
};

struct Word {
  std::vector<int32_t> symbols;
  int64_t count = 0;
};

// How often each pair stands in the words, kept up to date merge by merge.
class PairCounts {
 public:
  explicit PairCounts(std::vector<Word> words) : words_(std::move(words)) {
    for (size_t i = 0; i < words_.size(); ++i) Count(i, 1);
    for (const auto& [pair, entry] : entries_) Push(pair, entry.count);
  }

  // The most frequent pair; nothing when none is as frequent as `least`.
  std::optional<Pair> Best(int64_t least);
  // Makes `id` of the pair everywhere.
  void Merge(const Pair& pair, int32_t id);

 private:
  struct Entry {
    int64_t count = 0;
    std::unordered_set<uint32_t> words;  // that hold it, or did
  };
  struct Candidate {
    int64_t count;
    Pair pair;
    bool operator<(const Candidate& other) const {  // the last is taken first
      return std::pair(-count, pair) > std::pair(-other.count, other.pair);
    }
  };

  void Push(const Pair& pair, int64_t count) {
    if (count > 0) candidates_.push({count, pair});
  }
  // Adds the word's pairs `sign` times.
  void Count(size_t word, int sign);

  std::vector<Word> words_;
  std::unordered_map<Pair, Entry, PairHash> entries_;
  std::priority_queue<Candidate> candidates_;
};

void PairCounts::Count(size_t word, int sign) {
  const Word& w = words_[word];
  for (size_t i = 0; i + 1 < w.symbols.size(); ++i) {
    Entry& entry = entries_[{w.symbols[i], w.symbols[i + 1]}];
    entry.count += sign * w.count;
    if (sign > 0) entry.words.insert(static_cast<uint32_t>(word));
  }
}

std::optional<Pair> PairCounts::Best(int64_t least) {
  while (!candidates_.empty()) {
    const Candidate best = candidates_.top();
    candidates_.pop();
    const int64_t count = entries_[best.pair].count;
    if (count != best.count) {  // stale: it has changed since
      Push(best.pair, count);
      continue;
    }
    if (count < least) return std::nullopt;
    return best.pair;
  }
  return std::nullopt;
}

void PairCounts::Merge(const Pair& pair, int32_t id) {
  const std::unordered_set<uint32_t> words =
      std::exchange(entries_[pair].words, {});
  std::unordered_set<Pair, PairHash> grown;
  for (const uint32_t word : words) {
    Count(word, -1);
    std::vector<int32_t>& symbols = words_[word].symbols;
    std::vector<int32_t> merged;
    for (size_t i = 0; i < symbols.size(); ++i) {
      const bool here = i + 1 < symbols.size() && symbols[i] == pair.first &&
                        symbols[i + 1] == pair.second;
      merged.push_back(here ? id : symbols[i]);
      if (here) ++i;
    }
    symbols = std::move(merged);
    Count(word, 1);
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      if (symbols[i] == id || symbols[i + 1] == id) {
        grown.insert({symbols[i], symbols[i + 1]});
      }
    }
  }
  for (const Pair& other : grown) Push(other, entries_[other].count);
}

}  // namespace

void BpeTrainer::Add(std::string_view text, int64_t count) {
  if (text.empty()) return;
  std::string valid;
  if (config_.add_prefix_space && !text.starts_with(' ')) valid += ' ';
  for (size_t i = 0; i < text.size();) {
    AppendUtf8(NextCodePoint(text, &i), &valid);
  }
  for (size_t begin = 0; begin < valid.size();) {
    const size_t end = ByteLevelWordEnd(valid, begin);
    words_[valid.substr(begin, end - begin)] += count;
    begin = end;
  }
}

absl::StatusOr<BpeSpec> BpeTrainer::Train(
    const std::function<void(int done, int total)>& progress) const {
  const int num_merges = config_.vocab_size - kNumSpecial - kNumBytes;
  if (num_merges < 1) {
    return absl::InvalidArgumentError(fmt::format(
        "a vocabulary of {} tokens has no room for merges: it has to be {} or "
        "more",
        config_.vocab_size, kNumSpecial + kNumBytes + 1));
  }
  if (words_.empty()) {
    return absl::FailedPreconditionError(
        "there is no text to learn a vocabulary from");
  }
  BpeSpec spec;
  spec.add_prefix_space = config_.add_prefix_space;
  std::vector<std::string> tokens;  // by id
  for (const std::string_view name : kSpecial) {
    spec.added_tokens.push_back({.text = std::string(name),
                                 .id = static_cast<int32_t>(tokens.size()),
                                 .lstrip = name == "<mask>"});
    tokens.emplace_back(name);
  }
  for (int byte = 0; byte < kNumBytes; ++byte) {
    tokens.emplace_back(ByteCharacter(static_cast<uint8_t>(byte)));
  }
  std::vector<std::pair<std::string, int64_t>> sorted(words_.begin(),
                                                      words_.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<Word> words;
  for (const auto& [text, count] : sorted) {
    Word word = {.count = count};
    for (const char byte : text) {
      word.symbols.push_back(kNumSpecial + static_cast<uint8_t>(byte));
    }
    words.push_back(std::move(word));
  }
  PairCounts counts(std::move(words));
  for (int i = 0; i < num_merges; ++i) {
    const auto best = counts.Best(config_.min_count);
    if (!best) break;
    const auto& [left, right] = *best;
    counts.Merge(*best, static_cast<int32_t>(tokens.size()));
    spec.merges.emplace_back(tokens[left], tokens[right]);
    tokens.push_back(tokens[left] + tokens[right]);
    if (progress) progress(i + 1, num_merges);
  }
  for (size_t id = 0; id < tokens.size(); ++id) {
    spec.vocab[tokens[id]] = static_cast<int32_t>(id);
  }
  spec.before = {0};
  spec.after = {2};
  return spec;
}

}  // namespace quaver
