// See spans.h.
#include "quaver/search/internal/spans.h"

#include <algorithm>
#include <string>

#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Pairs of equal words, by longest common subsequence; [i] is the place in
// `b` of word i of `a`, or npos.
std::vector<size_t> MatchWords(const std::vector<std::string_view>& a,
                               const std::vector<std::string_view>& b) {
  const size_t columns = b.size() + 1;
  std::vector<size_t> longest((a.size() + 1) * columns, 0);
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      longest[i * columns + j] = a[i] == b[j]
                                     ? longest[(i + 1) * columns + j + 1] + 1
                                     : std::max(longest[(i + 1) * columns + j],
                                                longest[i * columns + j + 1]);
    }
  }
  std::vector<size_t> matches(a.size(), std::string_view::npos);
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      matches[i++] = j++;
    } else if (longest[(i + 1) * columns + j] >= longest[i * columns + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return matches;
}

}  // namespace

std::vector<CorrectionSpan> DiffSpans(std::string_view raw,
                                      std::string_view text) {
  const NormalizedText typed = NormalizeWithSource(raw);
  const auto from = SplitWords(typed.text);
  const auto to = SplitWords(text);
  const auto matches = MatchWords(from, to);
  const auto begin_of = [&](size_t word) {
    if (word == from.size()) return typed.source.back();
    return typed
        .source[static_cast<size_t>(from[word].data() - typed.text.data())];
  };
  const auto end_of = [&](size_t word) {
    return typed.source[static_cast<size_t>(
        from[word].data() + from[word].size() - typed.text.data())];
  };
  std::vector<CorrectionSpan> spans;
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    if (i < from.size() && matches[i] == j) {
      ++i;
      ++j;
      continue;
    }
    CorrectionSpan span;
    const size_t first = i;
    while (i < from.size() && matches[i] == std::string_view::npos) ++i;
    const size_t stop = i < from.size() ? matches[i] : to.size();
    span.begin = begin_of(first);
    span.end = i > first ? end_of(i - 1) : span.begin;
    for (; j < stop; ++j) {
      if (!span.text.empty()) span.text += ' ';
      span.text += to[j];
    }
    spans.push_back(std::move(span));
  }
  return spans;
}

std::string ApplySpans(std::string_view raw,
                       std::span<const CorrectionSpan> spans) {
  std::string spaced;
  size_t from = 0;
  for (const CorrectionSpan& span : spans) {
    spaced += raw.substr(from, span.begin - from);
    const std::string_view around = span.begin == span.end ? " " : "";
    spaced.append(around).append(span.text).append(around);
    from = span.end;
  }
  spaced += raw.substr(from);
  std::string text;
  for (const std::string_view word : SplitWords(spaced)) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

}  // namespace quaver
