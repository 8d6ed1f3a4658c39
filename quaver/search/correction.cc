// See correction.h.
#include "quaver/search/correction.h"

namespace quaver {

std::string_view Name(SpellingOutcome outcome) {
  switch (outcome) {
    case SpellingOutcome::kNone:
      return "none";
    case SpellingOutcome::kSilent:
      return "silent";
    case SpellingOutcome::kShown:
      return "showing_results_for";
    case SpellingOutcome::kAsked:
      return "did_you_mean";
  }
  return "";
}

}  // namespace quaver
