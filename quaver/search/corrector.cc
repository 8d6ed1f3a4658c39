// See corrector.h.
#include "quaver/search/corrector.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

#include "quaver/base/clock.h"
#include "quaver/search/internal/insistence.h"
#include "quaver/search/internal/name_readings.h"
#include "quaver/search/internal/spans.h"
#include "quaver/search/internal/spelling_model.h"
#include "quaver/search/word_readings.h"
#include "quaver/text/compare.h"
#include "quaver/text/edit_distance.h"
#include "quaver/text/normalize.h"
#include "quaver/text/terms.h"

namespace quaver {
namespace {

// Documents whose names the query is moved onto, and readings of each kind.
constexpr size_t kMaxNames = 12;
constexpr size_t kMaxNameReadings = 7;
constexpr size_t kMaxWordReadings = 4;
constexpr int kModelAnswers = 4;
// A word in fewer documents is not known: other people mistype, too.
constexpr uint32_t kLeastKnown = 3;
// A shorter query than this is one slip from too many names: to pass the gate
// it has to be a name itself, not some words of one.
constexpr int kMinGatedLetters = 10;
// Applied from here on, asked about from here on.
constexpr float kApplied = 0.5f;
constexpr float kAsked = 0.2f;
constexpr size_t kMaxAlternatives = 5;
constexpr float kLeastAlternative = 0.02f;

// The readings of one query, each text once.
class Readings {
 public:
  // The reading of that text, made when there is none.
  Reading& Of(const std::string& text) {
    for (Reading& reading : all_) {
      if (reading.text == text) return reading;
    }
    all_.push_back({.text = text, .shown = text});
    return all_.back();
  }
  std::vector<Reading>& all() { return all_; }
  size_t size() const { return all_.size(); }

 private:
  std::vector<Reading> all_;
};

std::vector<Typed> KnownWords(const Snapshot& snapshot, const Query& query,
                              const Insistence& insistence) {
  std::vector<Typed> known;
  for (const QueryWord& word : query.words) {
    const bool open = query.open && &word == &query.words.back();
    const bool is_known = WordDocuments(snapshot, word.text) >= kLeastKnown ||
                          (open && BeginsWord(snapshot, word.text));
    known.push_back(insistence.IsFixed(word.text) ? Typed::kFixed
                    : is_known                    ? Typed::kKnown
                                                  : Typed::kUnknown);
  }
  return known;
}

// A document's title and artist, and the title's first word again: people type
// the artist first, too, and may join it with the title.
std::vector<ShownWord> NameWords(const Snapshot& snapshot, const Place& place) {
  const Segment& segment = *snapshot.segments[place.part].segment;
  const LexicalIndex& lexical = segment.lexical();
  const DocumentView document = segment.document(place.doc);
  std::vector<ShownWord> words;
  const auto add = [&](uint32_t name, std::string_view original) {
    if (name == kNoName) return;
    for (ShownWord& word : ShownWords(lexical.name(name), original)) {
      if (words.size() < kMaxQueryWords) words.push_back(std::move(word));
    }
  };
  add(lexical.title_names()[place.doc], document.title);
  const size_t title_words = words.size();
  add(lexical.artist_names()[place.doc], document.artist);
  if (title_words > 0 && words.size() > title_words) {
    const ShownWord first = words.front();
    words.push_back(first);
  }
  return words;
}

void AddNameReadings(const Query& query, const Snapshot& snapshot,
                     std::span<const Typed> known, std::span<const Place> near,
                     Readings& readings) {
  if (near.empty() || near[0].score <= 0) return;
  const auto typed = ShownWords(query.normalized, query.raw);
  const size_t most = readings.size() + kMaxNameReadings;
  for (const Place& place : near.first(std::min(near.size(), kMaxNames))) {
    for (NameReading& named :
         ReadAsName(query, typed, known, NameWords(snapshot, place))) {
      if (readings.size() == most) return;
      Reading& reading = readings.Of(named.text);
      const float share = place.score / near[0].score;
      if (share <= reading.name_score) continue;
      reading.name_score = share;
      if (!reading.typed) reading.shown = std::move(named.shown);
      reading.completion = std::move(named.completion);
    }
  }
}

void AddWordReadings(const Query& query, const Snapshot& snapshot,
                     Readings& readings) {
  for (const std::string& text :
       ReadAsWords(snapshot, query, kMaxWordReadings)) {
    readings.Of(text).from_dictionary = true;
  }
}

// The query as it was typed, the first of all readings.
void AddTyped(const Query& query, Readings& readings) {
  Reading& reading = readings.Of(query.normalized);
  reading.typed = true;
  reading.shown.clear();
  for (const ShownWord& word : ShownWords(query.normalized, query.raw)) {
    if (!reading.shown.empty()) reading.shown += ' ';
    reading.shown += word.shown;
  }
}

// Whether no character is half there, as tokens, which are bytes, may leave it.
bool HasWholeCharacters(std::string_view text) {
  return ToCodePoints(text).find(U'\uFFFD') == std::u32string::npos;
}

// What the model says becomes readings and scores of readings.
absl::StatusOr<int> AddModelReadings(Servable& model, const CallOptions& call,
                                     Readings& readings) {
  std::vector<std::string> texts;
  for (const Reading& reading : readings.all()) texts.push_back(reading.shown);
  ASSIGN_OR_RETURN(const ModelOpinion opinion,
                   AskModel(model, texts[0], texts, kModelAnswers, call));
  for (size_t i = 0; i < texts.size(); ++i) {
    readings.all()[i].model_score = opinion.draft_scores[i];
  }
  for (size_t i = 0; i < opinion.answers.size(); ++i) {
    if (!HasWholeCharacters(opinion.answers[i].text)) continue;
    const std::string shown = ComparableText(opinion.answers[i].text);
    const std::string text = Normalize(shown);
    if (text.empty()) continue;
    const size_t known = readings.size();
    Reading& reading = readings.Of(text);
    const bool is_new = readings.size() > known;
    if (is_new) reading.shown = shown;
    if (is_new || opinion.answers[i].score > reading.model_score) {
      reading.model_score = opinion.answers[i].score;
    }
    reading.model_best = reading.model_best || i == 0;
  }
  return opinion.passes;
}

// A reading for people: as it was typed where it is the same.
std::string TextOf(const Query& query, const Reading& reading) {
  std::string text = ApplySpans(query.raw, DiffSpans(query.raw, reading.shown));
  return Normalize(text) == reading.text ? text : reading.shown;
}

// The text with its last word finished as the nearest document has it.
std::string Complete(const Query& query, const Snapshot& snapshot,
                     std::span<const Place> near, const Reading& reading) {
  if (!query.open) return "";
  std::string completion = reading.completion;
  const auto last = SplitWords(reading.shown).back();
  for (size_t i = 0; i < near.size() && completion.empty(); ++i) {
    for (const ShownWord& word : NameWords(snapshot, near[i])) {
      if (word.shown.size() <= last.size() || !word.shown.starts_with(last)) {
        continue;
      }
      completion = reading.shown + word.shown.substr(last.size());
      break;
    }
  }
  if (completion == reading.shown) return "";
  if (!completion.starts_with(reading.shown)) return completion;
  const std::string as_typed =
      TextOf(query, reading) + completion.substr(reading.shown.size());
  // "yester." does not go on with "day".
  return Normalize(as_typed) == Normalize(completion) ? as_typed : completion;
}

// Whether the typed letters are spaced otherwise, into a word that no document
// has: that helps nobody.
bool OnlyRegroups(const Query& query, const Snapshot& snapshot,
                  const Reading& reading) {
  if (Squeeze(reading.text) != query.squeezed) return false;
  const auto words = SplitWords(reading.text);
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return WordDocuments(snapshot, word) == 0 && !BeginsWord(snapshot, word);
  });
}

// Whether a reading is the query without some of its signs ("hey 🎵"): to be
// asked about that helps nobody either.
bool OnlyDropsSigns(const Query& query, const Reading& reading) {
  return reading.text == ComparableText(query.normalized);
}

// Whether a reading is the query with its open last word finished by several
// letters: that is the completion's to say. One letter may have been lost.
bool OnlyCompletes(const Query& query, const Reading& reading) {
  return query.open && reading.text.starts_with(query.normalized) &&
         CodePointCount(reading.text) > CodePointCount(query.normalized) + 1 &&
         SplitWords(reading.text).size() == query.words.size();
}

// Signs alone ("†††") are no words.
bool CanCorrect(const Query& query) {
  return !ComparableText(query.normalized).empty() &&
         query.words.size() < kMaxQueryWords &&
         query.normalized.size() <= kMaxCorrectedBytes &&
         CodePointCount(query.squeezed) >= kMinCorrectedLetters;
}

bool PassesGate(const Query& query, const Proof& proof) {
  const int letters = CodePointCount(query.squeezed);
  return proof.whole_words && (proof.exact || letters >= kMinGatedLetters);
}

// The readings' scores; with explain, they are told.
std::vector<float> Weigh(const Query& query, const Snapshot& snapshot,
                         std::span<const Typed> known,
                         const std::vector<Reading>& readings, bool explain,
                         Correction& correction) {
  std::vector<float> scores;
  for (const Reading& reading : readings) {
    const auto last = SplitWords(reading.text).back();
    const ReadingFeatures features = ExtractFeatures(
        query, known, WordDocuments(snapshot, last) > 0, reading);
    scores.push_back(ReadingScore(features));
    if (!explain) continue;
    correction.readings.push_back(
        {reading.shown, scores.back(), {features.begin(), features.end()}});
  }
  return scores;
}

// Readings by falling probability; equal ones as they came.
std::vector<size_t> Order(const std::vector<float>& shares) {
  std::vector<size_t> order(shares.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return shares[a] > shares[b]; });
  return order;
}

// The reading to apply or to ask about: the likeliest that is not the query,
// when it is likely enough; null when the query is best left alone.
const Reading* Chosen(const std::vector<Reading>& readings,
                      const std::vector<size_t>& order,
                      const std::vector<float>& shares) {
  for (const size_t i : order) {
    if (readings[i].typed) continue;
    return shares[i] >= kAsked ? &readings[i] : nullptr;
  }
  return nullptr;
}

// `asked_model`: without a model's opinion, only what a document explains is
// applied: words that a small catalogue lacks are no mistakes. Returns what is
// searched for.
const Reading& Decide(const Query& query, const std::vector<Reading>& readings,
                      const std::vector<float>& shares,
                      const Insistence& insistence, bool asked_model,
                      Correction& correction) {
  const std::vector<size_t> order = Order(shares);
  const Reading* chosen = Chosen(readings, order, shares);
  const auto share = [&](const Reading& reading) {
    return shares[static_cast<size_t>(&reading - readings.data())];
  };
  correction.confidence = share(chosen != nullptr ? *chosen : readings[0]);
  if (chosen != nullptr) {
    correction.text = TextOf(query, *chosen);
    correction.applied = chosen == &readings[order[0]] &&
                         share(*chosen) >= kApplied &&
                         (asked_model || chosen->proof.explained > 0.999f) &&
                         !insistence.Doubts(chosen->text);
    correction.spans = DiffSpans(query.raw, chosen->shown);
    const bool same_letters = Squeeze(chosen->text) == query.squeezed;
    correction.outcome = !correction.applied ? SpellingOutcome::kAsked
                         : same_letters      ? SpellingOutcome::kSilent
                                             : SpellingOutcome::kShown;
  }
  for (const size_t i : order) {
    if (shares[i] < kLeastAlternative) break;
    if (readings[i].typed || &readings[i] == chosen) continue;
    if (correction.alternatives.size() == kMaxAlternatives) break;
    correction.alternatives.push_back({TextOf(query, readings[i]), shares[i]});
  }
  return correction.applied ? *chosen : readings[0];
}

}  // namespace

absl::StatusOr<Correction> Corrector::Correct(
    const Query& query, const Snapshot& snapshot, std::span<const Place> near,
    const CorrectOptions& options) const {
  Correction correction;
  correction.text = query.raw;
  if (!CanCorrect(query)) return correction;
  Stopwatch stage;
  const auto lap = [&](const char* name) {
    correction.timing_us.emplace_back(name, stage.LapUs());
  };
  Readings readings;
  std::vector<Reading>& all = readings.all();
  AddTyped(query, readings);
  Prove(snapshot, near, query.open, all);
  correction.gated = options.gate && PassesGate(query, all[0].proof);
  lap("correct_gate");
  if (correction.gated) {
    correction.confidence = 1;
    correction.completion = Complete(query, snapshot, near, all[0]);
    return correction;
  }
  const Insistence insistence(query.raw, snapshot);
  const std::vector<Typed> known = KnownWords(snapshot, query, insistence);
  if (options.catalogue) {
    AddNameReadings(query, snapshot, known, near, readings);
  }
  if (options.guess) options.guess(TextOf(query, all[all.size() > 1 ? 1 : 0]));
  if (options.dictionary) AddWordReadings(query, snapshot, readings);
  lap("correct_candidates");
  const bool ask_model = options.model && model_ != nullptr;
  if (ask_model) {
    ASSIGN_OR_RETURN(correction.passes,
                     AddModelReadings(*model_, options.call, readings));
  }
  lap("correct_model");
  std::erase_if(all, [&](const Reading& reading) {
    return !reading.typed &&
           (!insistence.Allows(reading.text) ||
            OnlyRegroups(query, snapshot, reading) ||
            OnlyDropsSigns(query, reading) || OnlyCompletes(query, reading));
  });
  Prove(snapshot, near, query.open, all);
  const std::vector<float> shares = Probabilities(
      Weigh(query, snapshot, known, all, options.explain, correction));
  const Reading& searched =
      Decide(query, all, shares, insistence, ask_model, correction);
  correction.completion = Complete(query, snapshot, near, searched);
  lap("correct_proof");
  return correction;
}

}  // namespace quaver
