// See sound_terms.h.
#include "quaver/index/sound_terms.h"

#include <algorithm>
#include <functional>
#include <string>
#include <tuple>

#include "quaver/text/typing.h"

namespace quaver {
namespace {

// One sound alone is "a", "oh" and "you".
constexpr size_t kLeastSounds = 2;

uint32_t HashOf(const std::string& sound) {
  return static_cast<uint32_t>(std::hash<std::string>()(sound));
}

}  // namespace

SoundTerms::SoundTerms(const LexicalIndex& lexical) : lexical_(lexical) {
  std::vector<std::tuple<uint32_t, size_t, uint32_t>> order;
  order.reserve(lexical.num_terms());
  for (uint32_t term = 0; term < lexical.num_terms(); ++term) {
    const std::string sound = SoundForm(lexical.term(term));
    if (sound.size() < kLeastSounds) continue;
    const size_t documents = lexical.postings(term).docs.size();
    order.emplace_back(HashOf(sound), ~documents, term);
  }
  std::sort(order.begin(), order.end());
  entries_.reserve(order.size());
  for (const auto& [sound, documents, term] : order) {
    entries_.push_back({sound, term});
  }
}

std::vector<uint32_t> SoundTerms::Alike(std::string_view word,
                                        size_t limit) const {
  const std::string sound = SoundForm(word);
  const uint32_t hash = HashOf(sound);
  std::vector<uint32_t> terms;
  auto entry = std::lower_bound(
      entries_.begin(), entries_.end(), hash,
      [](const Entry& a, uint32_t least) { return a.sound < least; });
  for (; entry != entries_.end() && entry->sound == hash; ++entry) {
    if (terms.size() == limit) break;
    // Other sounds may have the same hash.
    if (SoundForm(lexical_.term(entry->term)) == sound) {
      terms.push_back(entry->term);
    }
  }
  return terms;
}

}  // namespace quaver
