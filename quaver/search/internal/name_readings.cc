// See name_readings.h.
#include "quaver/search/internal/name_readings.h"

#include <algorithm>

#include "quaver/search/internal/similarity.h"
#include "quaver/text/compare.h"
#include "quaver/text/normalize.h"
#include "quaver/text/typing.h"

namespace quaver {
namespace {

// A word moves when it is nearer than this; a known one has to be nearer.
constexpr float kKeep = 0.45f;
constexpr float kKeepKnown = 0.72f;
// What joining, splitting and stopping early cost, a letter.
constexpr float kJoin = 0.03f;
constexpr float kOpen = 0.02f;
// Sounding the same is a little less than being the same.
constexpr float kSameSound = 0.8f;

enum class Last { kWhole, kUnfinished };

// A filler that was typed together with the word after it or before it.
constexpr std::string_view kGlued[] = {"the", "by", "a", "of", "in", "to", "i"};
constexpr float kGlue = 0.05f;

// `take` words of the query become `give` words of the name from `word` on;
// none: the word stays.
struct Move {
  size_t take = 1;
  size_t give = 0;
  size_t word = 0;
  int letters = 0;  // of the name's word, for an unfinished one; 0: all
  float value = 0;  // of a letter
  std::string_view glued = {};  // a filler before the name's word
  bool glued_after = false;     // or after it
};

class Alignment {
 public:
  Alignment(const Query& query, std::span<const ShownWord> typed,
            std::span<const Typed> known, std::span<const ShownWord> words)
      : query_(query),
        typed_(typed),
        known_(known),
        words_(words),
        taken_(words.size()) {
    for (const QueryWord& word : query.words) {
      sounds_.push_back(SoundForm(word.text));
      Take(word.text);
    }
    for (const ShownWord& word : words) {
      name_sounds_.push_back(SoundForm(word.text));
    }
  }

  NameReading Best(bool move_known, Last last) {
    const size_t n = query_.words.size();
    std::vector<float> best(n + 1, 0);
    std::vector<Move> moves(n);
    for (size_t i = n; i-- > 0;) {
      best[i] = -1;
      const auto offer = [&](const Move& move) {
        float letters = 0;
        for (size_t t = i; t < i + move.take; ++t) {
          letters += static_cast<float>(query_.words[t].length);
        }
        const float value = move.value * letters + best[i + move.take];
        if (value <= best[i]) return;
        best[i] = value;
        moves[i] = move;
      };
      OfferKeep(i, move_known, offer);
      for (size_t k = 0; k < words_.size(); ++k) {
        OfferWord(i, k, last, offer);
        OfferGlued(i, k, offer);
        OfferPair(i, k, last, offer);
      }
    }
    return Write(moves);
  }

 private:
  // The first such word of the name that is free.
  void Take(std::string_view text) {
    for (size_t k = 0; k < words_.size(); ++k) {
      if (taken_[k] || words_[k].text != text) continue;
      taken_[k] = true;
      return;
    }
  }

  template <typename Offer>
  void OfferKeep(size_t i, bool move_known, const Offer& offer) const {
    const bool firm = (known_[i] != Typed::kUnknown && !move_known) ||
                      query_.words[i].is_filler;
    offer(Move{.value = firm ? kKeepKnown : kKeep});
  }

  bool IsOpen(size_t i, size_t take) const {
    return query_.open && i + take == query_.words.size();
  }

  // One word for one.
  template <typename Offer>
  void OfferWord(size_t i, size_t k, Last last, const Offer& offer) const {
    const QueryWord& typed = query_.words[i];
    const std::string_view word = words_[k].text;
    auto value = static_cast<float>(OsaSimilarity(typed.pattern, word));
    if (value < 1 && (taken_[k] || known_[i] == Typed::kFixed)) return;
    if (value < 1 && sounds_[i] == name_sounds_[k] && sounds_[i].size() > 1) {
      value = std::max(value, kSameSound);
    }
    offer(Move{.give = 1, .word = k, .value = value});
    if (last == Last::kWhole || !IsOpen(i, 1)) return;
    const int length = CodePointCount(word);
    for (const int cut : {typed.length, typed.length + 1, typed.length - 1}) {
      if (cut < 1 || cut >= length) continue;
      const auto open = static_cast<float>(
          OsaSimilarity(typed.pattern, Beginning(word, cut)));
      offer(Move{.give = 1, .word = k, .letters = cut, .value = open - kOpen});
    }
  }

  // "byridda", "wonderby": a filler and a word in one.
  template <typename Offer>
  void OfferGlued(size_t i, size_t k, const Offer& offer) const {
    const std::string_view typed = query_.words[i].text;
    if (taken_[k] || known_[i] != Typed::kUnknown) return;
    for (const std::string_view filler : kGlued) {
      if (typed.size() < filler.size() + 3) continue;
      const auto glue = [&](std::string_view rest, bool after) {
        const auto value = static_cast<float>(
            OsaSimilarity(EditPattern(rest), words_[k].text));
        offer(Move{.give = 1,
                   .word = k,
                   .value = value - kGlue,
                   .glued = filler,
                   .glued_after = after});
      };
      if (typed.starts_with(filler)) glue(typed.substr(filler.size()), false);
      if (typed.ends_with(filler)) {
        glue(typed.substr(0, typed.size() - filler.size()), true);
      }
    }
  }

  // One word for two, two for one, two for two with the space elsewhere.
  template <typename Offer>
  void OfferPair(size_t i, size_t k, Last last, const Offer& offer) const {
    if (taken_[k] || known_[i] == Typed::kFixed) return;
    const bool two_given = k + 1 < words_.size() && !taken_[k + 1];
    const bool two_typed =
        i + 1 < query_.words.size() && known_[i + 1] != Typed::kFixed;
    const std::string both =
        two_given ? std::string(words_[k].text).append(words_[k + 1].text) : "";
    const auto value = [](const QueryWord& typed, std::string_view name) {
      return static_cast<float>(OsaSimilarity(typed.pattern, name)) - kJoin;
    };
    if (two_given && query_.words[i].length > 3) {
      offer(Move{.give = 2, .word = k, .value = value(query_.words[i], both)});
      if (last == Last::kUnfinished && IsOpen(i, 1)) {
        OfferOpenPair(i, k, both, offer);
      }
    }
    if (!two_typed) return;
    const QueryWord& joined = query_.joined[i];
    offer(Move{.take = 2,
               .give = 1,
               .word = k,
               .value = value(joined, words_[k].text)});
    if (two_given) {
      offer(
          Move{.take = 2, .give = 2, .word = k, .value = value(joined, both)});
    }
  }
  // "darksi": the second word is unfinished.
  template <typename Offer>
  void OfferOpenPair(size_t i, size_t k, const std::string& both,
                     const Offer& offer) const {
    const QueryWord& typed = query_.words[i];
    const int first = CodePointCount(words_[k].text);
    const int cut = typed.length - first;
    if (cut < 1 || cut >= CodePointCount(words_[k + 1].text)) return;
    const auto value = static_cast<float>(
        OsaSimilarity(typed.pattern, Beginning(both, typed.length)));
    offer(Move{
        .give = 2, .word = k, .letters = cut, .value = value - kJoin - kOpen});
  }

  NameReading Write(const std::vector<Move>& moves) const {
    NameReading reading;
    const auto add = [&](std::string_view text, std::string_view shown,
                         std::string_view whole) {
      const bool first = reading.text.empty();
      reading.text.append(first ? "" : " ").append(text);
      reading.shown.append(first ? "" : " ").append(shown);
      reading.completion.append(first ? "" : " ").append(whole);
    };
    for (size_t i = 0; i < moves.size(); i += moves[i].take) {
      const Move& move = moves[i];
      if (move.give == 0) {
        add(typed_[i].text, typed_[i].shown, typed_[i].shown);
      }
      const auto add_glued = [&](bool after) {
        if (move.glued.empty() || move.glued_after != after) return;
        add(move.glued, move.glued, move.glued);
      };
      add_glued(false);
      for (size_t g = 0; g < move.give; ++g) {
        const ShownWord& word = words_[move.word + g];
        const bool cut = move.letters > 0 && g + 1 == move.give;
        add(cut ? Beginning(word.text, move.letters) : word.text,
            cut ? Beginning(word.shown, move.letters) : word.shown, word.shown);
      }
      add_glued(true);
    }
    return reading;
  }

  const Query& query_;
  std::span<const ShownWord> typed_;
  std::span<const Typed> known_;
  std::span<const ShownWord> words_;
  std::vector<bool> taken_;  // of words_: the query has it as it stands
  std::vector<std::string> sounds_, name_sounds_;
};

}  // namespace

std::vector<ShownWord> ShownWords(std::string_view normalized,
                                  std::string_view original) {
  const std::string comparable = ComparableText(original);
  const auto texts = SplitWords(normalized);
  const auto shown = SplitWords(comparable);
  std::vector<ShownWord> words;
  for (size_t i = 0; i < texts.size(); ++i) {
    words.push_back(
        {texts[i],
         std::string(shown.size() == texts.size() ? shown[i] : texts[i])});
  }
  return words;
}

std::vector<NameReading> ReadAsName(const Query& query,
                                    std::span<const ShownWord> typed,
                                    std::span<const Typed> known,
                                    std::span<const ShownWord> words) {
  std::vector<NameReading> readings;
  Alignment alignment(query, typed, known, words);
  for (const bool move_known : {true, false}) {
    for (const Last last : {Last::kUnfinished, Last::kWhole}) {
      NameReading reading = alignment.Best(move_known, last);
      const bool is_new = std::none_of(
          readings.begin(), readings.end(),
          [&](const auto& old) { return old.text == reading.text; });
      if (is_new) readings.push_back(std::move(reading));
    }
  }
  return readings;
}

}  // namespace quaver
