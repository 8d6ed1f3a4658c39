// Query sets, one function a kind: draw a track, type it, make mistakes.
#include "quaver/noise/query_set.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_set>

#include "quaver/noise/internal/pick.h"
#include "quaver/text/compare.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr std::string_view kNames[] = {
    "word",          "artist",       "touch",      "hard",   "partial",
    "prefix",        "clean",        "broad",      "unseen", "unseen_partial",
    "clean_partial", "clean_prefix", "clean_broad"};
// Rows drawn for one that is kept, above which a set is given up.
constexpr size_t kAttemptsPerRow = 2'000;

// Names beyond these are not what people type.
constexpr size_t kMinTitle = 3, kMaxTitle = 60;
constexpr size_t kMinArtist = 2, kMaxArtist = 40;

using Row = std::optional<QueryRow>;

size_t LetterCount(std::string_view text) {
  const std::u32string points = ToCodePoints(text);
  return static_cast<size_t>(
      std::count_if(points.begin(), points.end(), IsWordCharacter));
}

bool IsWithin(std::string_view name, size_t least, size_t most) {
  const size_t letters = LetterCount(name);
  return letters >= least && letters <= most;
}

std::string Both(const std::string& first, const std::string& second) {
  return fmt::format("{} {}", first, second);
}

// A track's names as a person types them, and the dice.
struct Draw {
  const TrackName& track;
  const Noise& noise;
  Random& random;
  std::string title;
  std::string artist;

  std::string EitherOrder(const std::string& a, const std::string& b) const {
    return random.Chance(0.7) ? Both(a, b) : Both(b, a);
  }

  Row Make(std::optional<std::string> query, std::string corrected,
           bool names_title) const {
    if (!query || query->empty()) return std::nullopt;
    return QueryRow{*query, std::move(corrected),
                    names_title ? track.title : "", track.artist};
  }
};

struct Phrase {
  std::string text;
  bool names_title = true;
};

// A title, an artist or both.
Phrase AnyName(const Draw& draw, const std::string& title,
               const std::string& artist) {
  const double weights[] = {70, 10, 20};
  switch (PickByWeight(weights, draw.random).value_or(0)) {
    case 0:
      return {title, true};
    case 1:
      return {artist, false};
    default:
      return {draw.EitherOrder(title, artist), true};
  }
}

// Some consecutive words of a name, not all, with at least `share` of its
// letters and three of them; the whole name when it has no such part.
std::string PartOf(const std::string& name, double share, Random& random) {
  const auto words = SplitWords(name);
  const double least =
      std::max(3.0, share * static_cast<double>(LetterCount(name)));
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < words.size(); ++begin) {
    for (size_t end = begin; end < words.size(); ++end) {
      const std::string_view part(
          words[begin].data(),
          words[end].data() + words[end].size() - words[begin].data());
      if (part.size() == name.size()) continue;
      if (static_cast<double>(LetterCount(part)) >= least) {
        parts.emplace_back(part);
      }
    }
  }
  return parts.empty() ? name : PickOne(parts, random);
}

int OneOrTwo(double two, Random& random) { return random.Chance(two) ? 2 : 1; }

Row MakeClean(const Draw& draw) {
  Phrase phrase = AnyName(draw, draw.track.title, draw.track.artist);
  return draw.Make(phrase.text, phrase.text, phrase.names_title);
}

Row MakeWord(const Draw& draw) {
  const auto wrong =
      draw.noise.Mistakes(draw.title, {.misspelling = 1}, 1, draw.random);
  if (!wrong) return std::nullopt;
  if (draw.random.Chance(0.5)) return draw.Make(*wrong, draw.title, true);
  const bool title_first = draw.random.Chance(0.7);
  const auto join = [&](const std::string& title) {
    return title_first ? Both(title, draw.artist) : Both(draw.artist, title);
  };
  return draw.Make(join(*wrong), join(draw.title), true);
}

Row MakeArtist(const Draw& draw) {
  const size_t letters = LetterCount(draw.artist);
  if (letters < 5) return std::nullopt;
  const int mistakes = letters < 8 ? 1 : OneOrTwo(0.35, draw.random);
  return draw.Make(
      draw.noise.Mistakes(draw.artist, kBoth, mistakes, draw.random),
      draw.artist, false);
}

Row MakeTouch(const Draw& draw) {
  const Phrase phrase = AnyName(draw, draw.title, draw.artist);
  const size_t letters = LetterCount(phrase.text);
  if (letters < 5) return std::nullopt;
  const int mistakes = letters < 9 ? 1 : OneOrTwo(0.35, draw.random);
  return draw.Make(
      draw.noise.Mistakes(phrase.text, kTyping, mistakes, draw.random),
      phrase.text, phrase.names_title);
}

Row MakePrefix(const Draw& draw) {
  const Phrase phrase = AnyName(draw, draw.title, draw.artist);
  if (LetterCount(phrase.text) < 8) return std::nullopt;
  const auto cut = CutLastWord(phrase.text, 2, draw.random);
  if (!cut || LetterCount(*cut) < 7) return std::nullopt;
  return draw.Make(draw.noise.Mistakes(*cut, kTyping, 1, draw.random), *cut,
                   phrase.names_title);
}

Row MakePartial(const Draw& draw) {
  const std::string title = PartOf(draw.title, 0.4, draw.random);
  const std::string artist = PartOf(draw.artist, 0.4, draw.random);
  if (LetterCount(title) < 4 || LetterCount(artist) < 3) return std::nullopt;
  if (title == draw.title && artist == draw.artist) return std::nullopt;
  const std::string text = draw.EitherOrder(title, artist);
  const MistakeMix mix = {.slip = 0.5, .sound = 0.3, .misspelling = 0.2};
  return draw.Make(draw.noise.Mistakes(text, mix, 1, draw.random), text, true);
}

// The words of a hard query before its mistakes; empty when the track does not
// offer enough of them.
std::string HardWords(const Draw& draw) {
  Random& random = draw.random;
  if (!random.Chance(0.7)) {
    if (SplitWords(draw.title).size() < 3) return "";
    return PartOf(draw.title, 0.7, random);
  }
  const std::string title = PartOf(draw.title, 0.6, random);
  const std::string artist =
      random.Chance(0.6) ? PartOf(draw.artist, 0.5, random) : draw.artist;
  if (random.Chance(0.2)) return fmt::format("{} by {}", title, artist);
  return draw.EitherOrder(title, artist);
}

std::string JoinTwoWords(const std::string& text, Random& random) {
  std::vector<size_t> spaces;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') spaces.push_back(i);
  }
  if (spaces.empty()) return text;
  return std::string(text).erase(PickOne(spaces, random), 1);
}

Row MakeHard(const Draw& draw) {
  Random& random = draw.random;
  std::string text = HardWords(draw);
  const size_t letters = LetterCount(text);
  if (letters < 10) return std::nullopt;
  const MistakeMix mix = {.slip = 0.35, .sound = 0.4, .misspelling = 0.25};
  const int mistakes = letters > 16 && random.Chance(0.3) ? 3 : 2;
  auto query = draw.noise.Mistakes(text, mix, mistakes, random);
  if (!query) return std::nullopt;
  if (random.Chance(0.2)) query = JoinTwoWords(*query, random);
  if (random.Chance(0.25)) {
    const std::string_view filler = AnyFiller(random);
    query = WithFiller(*query, filler);
    text = WithFiller(text, filler);
  }
  return draw.Make(query, text, true);
}

// As it was meant.
Row WithoutMistakes(Row row) {
  if (row) row->query = row->corrected;
  return row;
}

Row MakeRow(SetKind kind, const Draw& draw) {
  switch (kind) {
    case SetKind::kWord:
      return MakeWord(draw);
    case SetKind::kArtist:
      return MakeArtist(draw);
    case SetKind::kTouch:
      return MakeTouch(draw);
    case SetKind::kHard:
      return MakeHard(draw);
    case SetKind::kPartial:
      return MakePartial(draw);
    case SetKind::kPrefix:
      return MakePrefix(draw);
    case SetKind::kClean:
      return MakeClean(draw);
    case SetKind::kUnseen:
      return IsHeldOut(draw.track.artist) ? MakeTouch(draw) : std::nullopt;
    case SetKind::kUnseenPartial:
      return IsHeldOut(draw.track.artist) ? MakePartial(draw) : std::nullopt;
    case SetKind::kCleanPartial:
      return WithoutMistakes(MakePartial(draw));
    case SetKind::kCleanPrefix:
      return WithoutMistakes(MakePrefix(draw));
    case SetKind::kBroad:
    case SetKind::kCleanBroad:
      break;  // of no track
  }
  return std::nullopt;
}

// Some words of a description, or a tag.
Row DrawBroad(const SearchTexts& texts, const Noise& noise, Random& random) {
  std::string text;
  if (!texts.tags.empty() && random.Chance(0.1)) {
    text = ComparableText(PickOne(texts.tags, random));
  } else if (!texts.descriptions.empty()) {
    const std::string all = ComparableText(PickOne(texts.descriptions, random));
    const auto words = SplitWords(all);
    const size_t count = 3 + random.Below(6);
    if (words.size() < count) return std::nullopt;
    const auto part =
        std::span(words).subspan(random.Below(words.size() - count + 1), count);
    text = fmt::format("{}", fmt::join(part, " "));
  }
  auto query =
      noise.Mistakes(text, {.misspelling = 1}, OneOrTwo(0.3, random), random);
  if (!query) return std::nullopt;
  return QueryRow{*std::move(query), std::move(text), "", ""};
}

Row DrawRow(SetKind kind, const SearchTexts& texts, const Noise& noise,
            double bias, Random& random) {
  if (kind == SetKind::kBroad) return DrawBroad(texts, noise, random);
  if (kind == SetKind::kCleanBroad) {
    return WithoutMistakes(DrawBroad(texts, noise, random));
  }
  const std::vector<TrackName>& tracks = texts.tracks;
  if (tracks.empty()) return std::nullopt;
  const double share = std::pow(random.Uniform(), bias);
  const auto rank =
      static_cast<size_t>(share * static_cast<double>(tracks.size()));
  const TrackName& track = tracks[std::min(rank, tracks.size() - 1)];
  if (!IsWithin(track.title, kMinTitle, kMaxTitle) ||
      !IsWithin(track.artist, kMinArtist, kMaxArtist)) {
    return std::nullopt;
  }
  std::string title = noise.AsTyped(track.title, random);
  std::string artist = noise.AsTyped(track.artist, random);
  return MakeRow(kind, {track, noise, random, title, artist});
}

}  // namespace

bool IsClean(SetKind kind) {
  return kind == SetKind::kClean || kind == SetKind::kCleanPartial ||
         kind == SetKind::kCleanPrefix || kind == SetKind::kCleanBroad;
}

std::string_view Name(SetKind kind) {
  return kNames[static_cast<size_t>(kind)];
}

absl::StatusOr<SetKind> ParseSetKind(std::string_view name) {
  for (const SetKind kind : kAllSetKinds) {
    if (Name(kind) == name) return kind;
  }
  return absl::InvalidArgumentError(
      fmt::format("no query set is named '{}'; there are {}", name,
                  fmt::join(kNames, ", ")));
}

absl::StatusOr<std::vector<QueryRow>> MakeQuerySet(
    SetKind kind, const SearchTexts& texts, const Noise& noise,
    const QuerySetConfig& config) {
  if (config.rows == 0 || texts.empty()) {
    return absl::InvalidArgumentError(
        "a query set needs at least one row and one name");
  }
  std::vector<QueryRow> rows;
  std::unordered_set<std::string> seen;
  const uint64_t seed = config.seed * 16 + static_cast<uint64_t>(kind);
  const size_t attempts = config.rows * kAttemptsPerRow;
  for (size_t i = 0; i < attempts && rows.size() < config.rows; ++i) {
    Random random(seed, i);
    Row row = DrawRow(kind, texts, noise, config.popularity_bias, random);
    if (row && seen.insert(row->query).second) rows.push_back(std::move(*row));
  }
  if (rows.size() == config.rows) return rows;
  return absl::FailedPreconditionError(fmt::format(
      "{} tracks, {} descriptions and {} misspelled words give only {} of {} "
      "rows of the set '{}'; ask for fewer, or give more of them",
      texts.tracks.size(), texts.descriptions.size(),
      noise.misspellings().num_words(), rows.size(), config.rows, Name(kind)));
}

}  // namespace quaver
