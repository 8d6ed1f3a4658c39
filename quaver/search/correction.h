// What the search bar makes of a query's spelling.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quaver/sched/call.h"

namespace quaver {

enum class SpellingOutcome {
  kNone,    // nothing to mend, or nothing that is likelier than what was typed
  kSilent,  // searched for the correction, which differs in spaces alone
  kShown,   // "showing results for X, search instead for Y"
  kAsked    // "did you mean X": the query was searched for as it was typed
};
// "none", "silent", "showing_results_for", "did_you_mean".
std::string_view Name(SpellingOutcome outcome);

// Bytes [begin, end) of the query as given, and what stands there instead.
struct CorrectionSpan {
  uint32_t begin = 0;
  uint32_t end = 0;
  std::string text;

  bool operator==(const CorrectionSpan&) const = default;
};

struct CorrectionAlternative {
  std::string text;       // as Correction::text
  double confidence = 0;  // [0, 1], that this is what was meant
};

// With CorrectOptions::explain: a reading that was weighed.
struct WeighedReading {
  std::string text;
  double score = 0;             // exp(score) is what readings compare by
  std::vector<float> features;  // in the order of ReadingFeature
};

struct Correction {
  SpellingOutcome outcome = SpellingOutcome::kNone;
  // What was probably meant: words that are changed in comparable form, the
  // others as typed. Searched for when `applied`, asked about when not; the
  // query as given for kNone.
  std::string text;
  bool applied = false;
  double confidence = 0;              // [0, 1], that `text` is what was meant
  std::vector<CorrectionSpan> spans;  // of the query, rising; none for kNone
  // Further readings, best first, without `text`.
  std::vector<CorrectionAlternative> alternatives;
  // `text` with its unfinished last word finished, as the likeliest hit has
  // it; empty when there is nothing to finish.
  std::string completion;
  bool gated = false;  // the catalogue explains it: no model was asked
  int passes = 0;      // of the model's decoder
  // "correct_gate", "correct_candidates", "correct_model", "correct_proof" ->
  // microseconds.
  std::vector<std::pair<std::string, int64_t>> timing_us;
  std::vector<WeighedReading> readings;  // with explain, the query's first
};

// What may speak about a query. All of them, but for measurements.
struct CorrectOptions {
  bool gate = true;        // pass what the catalogue explains
  bool model = true;       // where the search bar has one
  bool dictionary = true;  // words near the catalogue's, joined, split
  bool catalogue = true;   // whole names near the query
  bool explain = false;    // fill in Correction::readings
  // Told before the model is asked what will probably be meant, as
  // Correction::text; not told of a query that passes the gate.
  std::function<void(const std::string& text)> guess;
  CallOptions call;  // the model is asked with it
};

}  // namespace quaver
