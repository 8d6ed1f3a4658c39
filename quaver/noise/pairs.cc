// Training pairs: a phrase, perhaps cut, perhaps with mistakes.
#include "quaver/noise/pairs.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "quaver/noise/internal/near_names.h"
#include "quaver/noise/internal/pick.h"
#include "quaver/text/compare.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Longer names are not typed; the rest of a long description is not read.
constexpr size_t kMaxNameBytes = 120;
constexpr size_t kMaxDescriptionBytes = 4'000;
constexpr size_t kFamous = 20'000;
constexpr int kAttempts = 8;
constexpr int kFamiliar = 5;

constexpr std::string_view kStopWords[] = {"the", "a",  "an", "of",  "and",
                                           "in",  "to", "my", "is",  "for",
                                           "on",  "i",  "at", "with"};
// What is asked for by genre or mood.
constexpr std::string_view kKinds[] = {
    "music", "songs", "playlist", "mix",    "podcast", "radio",
    "hits",  "beats", "podcasts", "albums", "artists", "show"};
constexpr std::string_view kPurposes[] = {
    "for studying",   "for sleep",         "for running",   "to relax to",
    "for a party",    "for the gym",       "for driving",   "about love",
    "about the news", "for kids",          "from the 80s",  "from the 90s",
    "for rainy days", "for a road trip",   "with piano",    "with guitar",
    "for work",       "for cooking",       "to wake up to", "for dancing",
    "about life",     "about history",     "for the beach", "for focus",
    "for a wedding",  "about a breakup",   "for yoga",      "at night",
    "without lyrics", "with female vocals"};
constexpr std::string_view kMoods[] = {
    "sad",     "happy",    "relaxing", "upbeat", "chill",  "romantic",
    "angry",   "peaceful", "dark",     "funny",  "new",    "best",
    "slow",    "fast",     "old",      "quiet",  "loud",   "popular",
    "classic", "dreamy",   "epic",     "famous", "summer", "christmas"};

size_t NumLetters(std::string_view text) {
  return ToCodePoints(text).size() -
         static_cast<size_t>(std::count(text.begin(), text.end(), ' '));
}

// Consecutive words [begin, begin + count) of a comparable text.
std::string Words(std::span<const std::string_view> words, size_t begin,
                  size_t count) {
  return fmt::format(
      "{}",
      fmt::join(words.subspan(begin, std::min(count, words.size() - begin)),
                " "));
}

// Some consecutive words, often all of them.
std::string PartOf(const std::string& name, Random& random) {
  const auto words = SplitWords(name);
  if (words.size() < 2) return name;
  const size_t count = 1 + random.Below(words.size());
  std::string part =
      Words(words, random.Below(words.size() - count + 1), count);
  return NumLetters(part) < 3 ? name : part;
}

std::string WithoutStopWord(const std::string& text, Random& random) {
  const auto words = SplitWords(text);
  std::vector<size_t> stops;
  for (size_t i = 0; i < words.size(); ++i) {
    if (std::find(std::begin(kStopWords), std::end(kStopWords), words[i]) !=
        std::end(kStopWords)) {
      stops.push_back(i);
    }
  }
  if (stops.empty() || words.size() < 3) return text;
  const size_t lost = PickOne(stops, random);
  std::vector<std::string_view> kept(words.begin(), words.end());
  kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(lost));
  return Words(kept, 0, kept.size());
}

// What is meant; whole where it is names from their beginning to their end.
struct Meant {
  std::string text;
  bool whole = false;
};

std::string Comparable(const std::string& text, size_t max_bytes) {
  return ComparableText(std::string_view(text).substr(0, max_bytes));
}

}  // namespace

// All texts comparable, none empty.
struct PairMaker::Impl {
  Impl(const Noise& noise_, const PairConfig& config_)
      : noise(noise_), config(config_) {}

  void Read(const SearchTexts& texts);

  const std::string& Title(Random& random, const std::string** artist) const;
  Meant Name(Random& random) const;
  std::string Broad(Random& random) const;
  std::string Span(Random& random) const;
  std::string Tagged(Random& random) const;
  Meant Phrase(Random& random) const;
  std::string WithMistakes(const std::string& meant, Random& random) const;

  const Noise& noise;
  const PairConfig config;
  std::vector<std::pair<std::string, std::string>> tracks;  // title, artist
  std::vector<std::string> names;
  std::vector<std::string> descriptions;
  std::vector<std::string> tags;
  std::vector<std::string> hard_negatives;
  std::vector<Pair> fixed;  // given instead of all else
  // Hashes of what is right as it is: every name, and every word that stands
  // in several texts.
  std::unordered_set<uint64_t> known;
};

// Notes the words that at least kFamiliar texts have.
class WordCounter {
 public:
  void Add(const std::string& text) {
    for (const std::string_view word : SplitWords(text))
      ++counts_[Hash64(word)];
  }
  template <typename Visit>
  void ForEachFamiliar(const Visit& visit) const {
    for (const auto& [hash, count] : counts_) {
      if (count >= kFamiliar) visit(hash);
    }
  }

 private:
  std::unordered_map<uint64_t, int> counts_;
};

void PairMaker::Impl::Read(const SearchTexts& texts) {
  std::vector<std::string> ranked;  // distinct titles and artists
  const auto add = [&](const std::string& name) {
    if (known.insert(Hash64(name)).second) ranked.push_back(name);
  };
  for (const TrackName& track : texts.tracks) {
    if (track.title.size() > kMaxNameBytes || IsHeldOut(track.artist)) continue;
    std::string title = Comparable(track.title, kMaxNameBytes);
    std::string artist = Comparable(track.artist, kMaxNameBytes);
    if (title.empty()) continue;
    add(title);
    if (!artist.empty()) add(artist);
    tracks.emplace_back(std::move(title), std::move(artist));
  }
  const auto read = [](const std::vector<std::string>& from, size_t max_bytes,
                       std::vector<std::string>* to) {
    for (const std::string& text : from) {
      std::string comparable = Comparable(text, max_bytes);
      if (!comparable.empty()) to->push_back(std::move(comparable));
    }
  };
  read(texts.names, kMaxNameBytes, &names);
  read(texts.descriptions, kMaxDescriptionBytes, &descriptions);
  read(texts.tags, kMaxNameBytes, &tags);
  WordCounter words;
  for (const auto& [title, artist] : tracks) {
    words.Add(title);
    words.Add(artist);
  }
  for (const auto* all : {&names, &descriptions, &tags}) {
    for (const std::string& text : *all) words.Add(text);
  }
  for (const std::string& name : names) known.insert(Hash64(name));
  words.ForEachFamiliar([&](uint64_t hash) { known.insert(hash); });
  for (const uint32_t i : RareNearFamous(ranked, kFamous)) {
    hard_negatives.push_back(ranked[i]);
  }
}

const std::string& PairMaker::Impl::Title(Random& random,
                                          const std::string** artist) const {
  const double share = std::pow(random.Uniform(), config.popularity_bias);
  const auto rank =
      static_cast<size_t>(share * static_cast<double>(tracks.size()));
  const auto& track = tracks[std::min(rank, tracks.size() - 1)];
  *artist = &track.second;
  return track.first;
}

// A title, an artist, both or parts of both, or another name.
Meant PairMaker::Impl::Name(Random& random) const {
  const double total = static_cast<double>(names.size() + tracks.size());
  const double other =
      std::min(0.15, static_cast<double>(names.size()) / total);
  if (tracks.empty() || (!names.empty() && random.Chance(other))) {
    const std::string& name = PickOne(names, random);
    std::string part = PartOf(name, random);
    const bool whole = part == name;
    return {std::move(part), whole};
  }
  const std::string* artist = nullptr;
  const std::string& title = Title(random, &artist);
  if (artist->empty()) return {title, true};
  const double weights[] = {42, 14, 20, 24};
  std::string first = title, second = *artist;
  switch (PickByWeight(weights, random).value_or(0)) {
    case 0:
      if (random.Chance(0.15)) first = PartOf(title, random);
      return {first, first == title};
    case 1:
      return {*artist, true};
    case 2:
      break;
    default:
      first = PartOf(title, random);
      second = PartOf(*artist, random);
  }
  const bool whole = first == title && second == *artist;
  if (random.Chance(0.08)) return {first + " by " + second, whole};
  if (random.Chance(0.3)) std::swap(first, second);
  return {first + " " + second, whole};
}

// Some words out of a description.
std::string PairMaker::Impl::Span(Random& random) const {
  const auto words = SplitWords(PickOne(descriptions, random));
  const size_t count = 2 + random.Below(7);
  return Words(words, random.Below(words.size()), count);
}

std::string PairMaker::Impl::Tagged(Random& random) const {
  std::string text;
  const auto add = [&](std::string_view words) {
    if (!text.empty()) text += ' ';
    text += words;
  };
  if (random.Chance(0.5)) add(PickOne(kMoods, random));
  if (!tags.empty() && random.Chance(0.7)) add(PickOne(tags, random));
  if (text.empty() || random.Chance(0.7)) add(PickOne(kKinds, random));
  if (random.Chance(0.4)) add(PickOne(kPurposes, random));
  return text;
}

std::string PairMaker::Impl::Broad(Random& random) const {
  return descriptions.empty() || random.Chance(0.2) ? Tagged(random)
                                                    : Span(random);
}

Meant PairMaker::Impl::Phrase(Random& random) const {
  const bool has_names = !tracks.empty() || !names.empty();
  if (!has_names || random.Chance(config.broad)) return {Broad(random)};
  auto [name, whole] = Name(random);
  if (random.Chance(config.lost_word)) {
    std::string rest = WithoutStopWord(name, random);
    whole = whole && rest == name;
    name = std::move(rest);
  }
  if (random.Chance(config.filler)) name = WithFiller(name, AnyFiller(random));
  if (random.Chance(config.prefix) && NumLetters(name) >= 6) {
    if (auto cut = CutLastWord(name, 2, random)) return {*std::move(cut)};
  }
  return {std::move(name), whole};
}

// One to three mistakes of a hand, an ear or both; the text itself when it is
// too short, or every try gives another name or word.
std::string PairMaker::Impl::WithMistakes(const std::string& meant,
                                          Random& random) const {
  const size_t letters = NumLetters(meant);
  if (letters < 4) return meant;
  const double one = letters < 8 ? 1 : 0.6, two = letters < 8 ? 0 : 0.3,
               three = letters < 14 ? 0 : 0.1;
  constexpr MistakeMix kMixes[] = {
      {.slip = 1},
      {.sound = 0.3, .misspelling = 0.2, .confusion = 0.5},
      {.slip = 0.4, .sound = 0.2, .misspelling = 0.1, .confusion = 0.3}};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double counts[] = {one, two, three};
    const auto count =
        static_cast<int>(PickByWeight(counts, random).value_or(0)) + 1;
    const double mixes[] = {0.35, 0.4, 0.25};
    const MistakeMix& mix = kMixes[PickByWeight(mixes, random).value_or(0)];
    const auto typed = noise.Mistakes(meant, mix, count, random);
    if (!typed) continue;
    std::string text = ComparableText(*typed);
    if (!known.contains(Hash64(text))) return text;
  }
  return meant;
}

absl::Status CheckPairConfig(const PairConfig& config) {
  for (const auto& [name, share] :
       {std::pair("clean", config.clean),
        std::pair("clean_part", config.clean_part),
        std::pair("broad", config.broad), std::pair("prefix", config.prefix),
        std::pair("filler", config.filler),
        std::pair("lost_word", config.lost_word),
        std::pair("hard_negative", config.hard_negative)}) {
    if (share >= 0 && share <= 1) continue;
    return absl::InvalidArgumentError(fmt::format(
        "the share of {} pairs has to be from 0 to 1, not {}", name, share));
  }
  if (config.popularity_bias > 0 && config.popularity_bias <= 100) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("popularity_bias has to be above 0 and at most 100, not {}",
                  config.popularity_bias));
}

PairMaker::PairMaker(std::unique_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}
PairMaker::~PairMaker() = default;

absl::StatusOr<std::unique_ptr<const PairMaker>> PairMaker::Create(
    const SearchTexts& texts, const Noise& noise, const PairConfig& config) {
  RETURN_IF_ERROR(CheckPairConfig(config));
  auto impl = std::make_unique<Impl>(noise, config);
  impl->Read(texts);
  if (impl->tracks.empty() && impl->names.empty() &&
      impl->descriptions.empty()) {
    return absl::FailedPreconditionError(
        "the catalogue has no title, name or description with a letter in it");
  }
  return std::unique_ptr<const PairMaker>(new PairMaker(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<const PairMaker>> PairMaker::FromPairs(
    std::vector<Pair> pairs) {
  if (pairs.empty()) {
    return absl::FailedPreconditionError("there is no pair to learn from");
  }
  static const Noise& unused = *new Noise;
  auto impl = std::make_unique<Impl>(unused, PairConfig());
  impl->fixed = std::move(pairs);
  return std::unique_ptr<const PairMaker>(new PairMaker(std::move(impl)));
}

Pair PairMaker::Make(uint64_t number) const {
  if (!impl_->fixed.empty()) return impl_->fixed[number % impl_->fixed.size()];
  Random random(impl_->config.seed, number);
  const Impl& impl = *impl_;
  if (!impl.hard_negatives.empty() &&
      random.Chance(impl.config.hard_negative)) {
    const std::string& name = PickOne(impl.hard_negatives, random);
    return {name, name};
  }
  auto [meant, whole] = impl.Phrase(random);
  const double clean = whole ? impl.config.clean : impl.config.clean_part;
  std::string typed =
      random.Chance(clean) ? meant : impl.WithMistakes(meant, random);
  return {std::move(typed), std::move(meant)};
}

size_t PairMaker::num_hard_negatives() const {
  return impl_->hard_negatives.size();
}

}  // namespace quaver
