// See near_names.h.
#include "quaver/noise/internal/near_names.h"

#include <unordered_map>

#include "quaver/base/hash.h"
#include "quaver/text/edit_distance.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr size_t kLeastLetters = 5;

// Calls visit(hash) for the name and for the name without each of its letters.
template <typename Visit>
void ForEachForm(const std::string& name, const Visit& visit) {
  visit(Hash64(name));
  const std::u32string letters = ToCodePoints(name);
  for (size_t i = 0; i < letters.size(); ++i) {
    if (i > 0 && letters[i] == letters[i - 1]) continue;  // the same form
    visit(Hash64(ToUtf8(std::u32string(letters).erase(i, 1))));
  }
}

}  // namespace

std::vector<uint32_t> RareNearFamous(const std::vector<std::string>& names,
                                     size_t famous) {
  famous = std::min(famous, names.size());
  std::unordered_multimap<uint64_t, uint32_t> forms;
  for (uint32_t i = 0; i < famous; ++i) {
    if (names[i].size() < kLeastLetters) continue;
    ForEachForm(names[i], [&](uint64_t hash) { forms.emplace(hash, i); });
  }
  std::vector<uint32_t> near;
  for (auto i = static_cast<uint32_t>(famous); i < names.size(); ++i) {
    if (names[i].size() < kLeastLetters) continue;
    const EditPattern pattern(names[i]);
    bool found = false;
    ForEachForm(names[i], [&](uint64_t hash) {
      const auto [begin, end] = forms.equal_range(hash);
      for (auto at = begin; at != end && !found; ++at) {
        found = pattern.Osa(names[at->second]) == 1;
      }
    });
    if (found) near.push_back(i);
  }
  return near;
}

}  // namespace quaver
