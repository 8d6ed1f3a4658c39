// See grams.h.
#include "quaver/index/grams.h"

#include <algorithm>
#include <string>

#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr int kBitsPerCodePoint = 21;

void AddWordGrams(std::u32string_view padded, std::vector<Gram>& grams) {
  Gram previous = padded[0];
  for (size_t i = 1; i < padded.size(); ++i) {
    const Gram pair = (Gram{padded[i - 1]} << kBitsPerCodePoint) | padded[i];
    grams.push_back(pair);
    if (i > 1) {
      grams.push_back((previous << (2 * kBitsPerCodePoint)) | pair);
    }
    previous = padded[i - 1];
  }
}

}  // namespace

void ExtractGrams(std::string_view normalized, std::vector<Gram>& grams) {
  const std::u32string text = U" " + ToCodePoints(normalized) + U" ";
  size_t begin = 0;
  while (begin + 1 < text.size()) {
    const size_t end = text.find(U' ', begin + 1);
    AddWordGrams(std::u32string_view(text).substr(begin, end - begin + 1),
                 grams);
    begin = end;
  }
  std::sort(grams.begin(), grams.end());
  grams.erase(std::unique(grams.begin(), grams.end()), grams.end());
}

}  // namespace quaver
