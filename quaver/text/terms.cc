// See terms.h.
#include "quaver/text/terms.h"

#include <algorithm>

#include "quaver/text/normalize.h"

namespace quaver {

std::string Squeeze(std::string_view normalized) {
  std::string result(normalized);
  std::erase(result, ' ');
  return result;
}

std::string LightStem(std::string_view word) {
  const auto ends = [&](std::string_view suffix) {
    return word.size() >= suffix.size() + 3 && word.ends_with(suffix);
  };
  const auto cut = [&](size_t count) { word.remove_suffix(count); };
  bool verb = false;
  if (ends("ies") || ends("ied")) {
    cut(2);
  } else if (ends("ings")) {
    cut(4), verb = true;
  } else if (ends("ing")) {
    cut(3), verb = true;
  } else if (ends("ed")) {
    cut(2), verb = true;
  } else if (ends("es")) {
    cut(2);
  } else if (ends("s") && !word.ends_with("ss") && !word.ends_with("us")) {
    cut(1);
  }
  const size_t size = word.size();
  // "running", but "telling" and "missed" keep what "tell" and "miss" have.
  const bool twice =
      verb && size >= 4 && word[size - 1] == word[size - 2] &&
      std::string_view("lsz").find(word[size - 1]) == std::string_view::npos;
  if (twice || ends("e")) cut(1);
  std::string stem(word);
  if (stem.size() >= 4 && stem.back() == 'y') stem.back() = 'i';
  return stem;
}

}  // namespace quaver
