// See noise_command.h.
#include "quaver/train/noise_command.h"

#include <algorithm>

#include "quaver/base/file.h"
#include "quaver/noise/confusions.h"
#include "quaver/noise/pairs.h"
#include "quaver/text/compare.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr size_t kLeastLetters = 4;

bool IsPlainWord(const std::string& word) {
  return word.size() >= kLeastLetters &&
         std::all_of(word.begin(), word.end(),
                     [](char c) { return c >= 'a' && c <= 'z'; });
}

absl::Status ReadPairs(const std::string& path,
                       std::vector<Misspelling>* pairs) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  int64_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++line_number;
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos) {
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: expected a wrong word, a tab and the right one",
                      path, line_number));
    }
    const std::string_view rest = line.substr(tab + 1);
    Misspelling pair = {ComparableText(line.substr(0, tab)),
                        ComparableText(rest.substr(0, rest.find('\t')))};
    if (pair.wrong == pair.right || !IsPlainWord(pair.right) ||
        pair.wrong.empty() || SplitWords(pair.wrong).size() != 1) {
      continue;
    }
    pairs->push_back(std::move(pair));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ShowNoise(const ShowNoiseOptions& options, std::ostream& out) {
  ASSIGN_OR_RETURN(const SearchTexts texts, ReadSearchTexts(options.catalogue));
  Misspellings misspellings = Misspellings::Common();
  if (!options.misspellings.empty()) {
    ASSIGN_OR_RETURN(misspellings, Misspellings::Load(options.misspellings));
  }
  const Noise noise({}, std::move(misspellings));
  ASSIGN_OR_RETURN(const auto maker,
                   PairMaker::Create(texts, noise, {.seed = options.seed}));
  for (int64_t i = 0; i < options.show; ++i) {
    const Pair pair = maker->Make(static_cast<uint64_t>(i));
    if (pair.typed == pair.meant) {
      out << "= " << pair.meant << "\n";
    } else {
      out << pair.typed << "\t" << pair.meant << "\n";
    }
  }
  return absl::OkStatus();
}

absl::Status FitNoise(const FitNoiseOptions& options, std::ostream& out) {
  std::vector<Misspelling> pairs;
  for (const std::string& path : options.pairs) {
    RETURN_IF_ERROR(ReadPairs(path, &pairs));
  }
  const ConfusionFit fit = FitConfusions(
      pairs, options.least, static_cast<size_t>(options.max_rules));
  if (fit.rules.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("{} pairs of words give no rule that {} of them share",
                    pairs.size(), options.least));
  }
  out << "// Written by `quaver-train noise --fit`: how often writers put the "
         "second\n// letters for the first, of "
      << pairs.size() << " misspelled words; "
      << 100 * fit.explained / fit.edits
      << " % of what they got\n// wrong follows these rules.\n"
      << "#include \"quaver/noise/internal/confusion_rates.h\"\n\n"
      << "namespace quaver {\n\n"
      << "const std::string_view kConfusionRates = R\"(\n"
      << FormatConfusions(fit.rules) << ")\";\n\n}  // namespace quaver\n";
  return absl::OkStatus();
}

}  // namespace quaver
