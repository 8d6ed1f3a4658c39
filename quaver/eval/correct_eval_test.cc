// Tests of correction figures on made answers.
#include "quaver/eval/correct_eval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using ::testing::HasSubstr;

QueryRow Row(const std::string& query, const std::string& corrected) {
  return {query, corrected, "", ""};
}

TEST(EditsKindTest, CountsEditsOfComparableForms) {
  EXPECT_EQ(EditsKind(Row("Don't!", "dont")), "right");
  EXPECT_EQ(EditsKind(Row("", "")), "right");
  EXPECT_EQ(EditsKind(Row("hte", "the")), "1 edit");
  EXPECT_EQ(EditsKind(Row("bejonce", "Beyoncé")), "1 edit");
  EXPECT_EQ(EditsKind(Row("hel o", "hello")), "1 edit");
  EXPECT_EQ(EditsKind(Row("hlel oadele", "hello adele")), "2 edits");
  EXPECT_EQ(EditsKind(Row("hlo", "hello")), "2 edits");
  EXPECT_EQ(EditsKind(Row("abc", "xyz")), "3 or more edits");
}

TEST(MistakeKindTest, NamesTheOneMistake) {
  const struct {
    const char* query;
    const char* corrected;
    const char* kind;
  } kCases[] = {
      {"hte", "the", "swap"},
      {"helol", "hello", "swap"},
      {"hell oadele", "hello adele", "swap"},
      {"hell o", "hello", "space"},
      {"helloadele", "hello adele", "space"},
      {"coldplay", "cold play", "space"},
      {"helo", "hello", "doubled letter"},
      {"helllo", "hello", "doubled letter"},
      {"hhello", "hello", "doubled letter"},
      {"helloo", "hello", "doubled letter"},
      {"bohemian rapsody", "bohemian rhapsody", "lost letter"},
      {"hell", "hello", "lost letter"},
      {"ello", "hello", "lost letter"},
      {"hepllo", "hello", "letter too many"},
      {"hellop", "hello", "letter too many"},
      {"ahello", "hello", "letter too many"},
      {"hellp", "hello", "neighbour key"},
      {"jello", "hello", "neighbour key"},
      {"hello 9asis", "Hello Oasis", "neighbour key"},
      {"hallo", "hello", "other letter"},
      {"мыр", "мир", "other letter"},
      {"helloxadele", "hello adele", "other letter"},
      {"hello", "Hello!", ""},       // none
      {"hlo", "hello", ""},          // two
      {"hello", "someone else", ""}  // many
  };
  for (const auto& [query, corrected, kind] : kCases) {
    EXPECT_EQ(MistakeKind(Row(query, corrected)), kind) << query;
  }
}

Correction Answer(SpellingOutcome outcome, const std::string& text) {
  Correction correction;
  correction.outcome = outcome;
  correction.text = text;
  correction.applied =
      outcome == SpellingOutcome::kShown || outcome == SpellingOutcome::kSilent;
  correction.confidence = 0.75;
  correction.passes = 3;
  return correction;
}

absl::StatusOr<Correction> MadeCorrection(const std::string& query) {
  if (query == "helo") return Answer(SpellingOutcome::kShown, "hello");
  if (query == "hallo") return Answer(SpellingOutcome::kAsked, "hello");
  if (query == "jello") {  // changed, but wrongly; the right one is offered
    Correction correction = Answer(SpellingOutcome::kShown, "jelly");
    correction.alternatives = {{"hello", 0.2}};
    return correction;
  }
  if (query == "right") return Answer(SpellingOutcome::kShown, "fight");
  if (query == "broken") return absl::InternalError("no model");
  Correction correction = Answer(SpellingOutcome::kNone, query);
  correction.gated = true;
  correction.passes = 0;
  return correction;
}

const CorrectVariant kMade = {"made", MadeCorrection};

TEST(CorrectEvalTest, CountsWhatIsSearchedFor) {
  const QuerySet set = {
      "touch",
      {Row("helo", "Hello"), Row("hallo", "Hello"), Row("jello", "Hello"),
       Row("right", "Right"), Row("Adele!", "adele")}};
  const auto report = RunCorrectEval({set}, {kMade}, {.max_misses = 2});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->figures.size(), 2u);

  const CorrectFigures& nothing = report->figures[0];
  EXPECT_EQ(nothing.variant, "do nothing");
  EXPECT_DOUBLE_EQ(nothing.exact_fix.value, 0.4);
  EXPECT_DOUBLE_EQ(nothing.false_corrections.value, 0);
  EXPECT_DOUBLE_EQ(nothing.offered.value, 0.4);
  EXPECT_DOUBLE_EQ(nothing.gated, 0);

  const CorrectFigures& made = report->figures[1];
  EXPECT_EQ(made.set, "touch");
  EXPECT_EQ(made.variant, "made");
  EXPECT_EQ(made.rows, 5u);
  EXPECT_DOUBLE_EQ(made.exact_fix.value, 0.4);          // helo, Adele!
  EXPECT_DOUBLE_EQ(made.false_corrections.value, 0.4);  // jello, right
  EXPECT_DOUBLE_EQ(made.offered.value, 0.8);            // all but right
  EXPECT_DOUBLE_EQ(made.gated, 0.2);
  EXPECT_DOUBLE_EQ(made.passes, 3);
  EXPECT_LE(made.p50_us, made.p99_us);
  ASSERT_EQ(made.misses.size(), 2u);
  EXPECT_EQ(made.misses[0].row.query, "hallo");
  EXPECT_EQ(made.misses[1].correction.text, "jelly");
}

TEST(CorrectEvalTest, SplitsByKindOverAllSets) {
  const QuerySet touch = {"touch", {Row("helo", "hello")}};
  const QuerySet clean = {"clean",
                          {Row("right", "right"), Row("adele", "adele")}};
  const auto report = RunCorrectEval({touch, clean}, {kMade}, {});
  ASSERT_TRUE(report.ok());
  std::vector<std::string> kinds;
  for (const CorrectKind& kind : report->kinds) {
    kinds.push_back(fmt::format("{}, {}: {} of {}", kind.kind, kind.variant,
                                kind.exact_fix.value, kind.rows));
  }
  EXPECT_THAT(kinds, testing::ElementsAre(
                         "1 edit, do nothing: 0 of 1", "1 edit, made: 1 of 1",
                         "doubled letter, do nothing: 0 of 1",
                         "doubled letter, made: 1 of 1",
                         "right, do nothing: 1 of 2", "right, made: 0.5 of 2"));
  EXPECT_TRUE(report->figures[1].misses.empty());
}

TEST(CorrectEvalTest, DifferencesAreOfTheLastVariant) {
  const QuerySet set = {"touch",
                        {Row("helo", "hello"), Row("right", "right"),
                         Row("adele", "adele"), Row("jello", "hello")}};
  const auto report =
      RunCorrectEval({set}, {kMade, {"same", kMade.correct}}, {});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->differences.size(), 2u);
  // Mended: helo. Harmed: right.
  const CorrectDifference& nothing = report->differences[0];
  EXPECT_EQ(nothing.variant, "same");
  EXPECT_EQ(nothing.baseline, "do nothing");
  EXPECT_EQ(nothing.rows, 4u);
  EXPECT_DOUBLE_EQ(nothing.exact_fix.value, 0);
  EXPECT_LT(nothing.exact_fix.low, 0);
  EXPECT_GT(nothing.exact_fix.high, 0);
  EXPECT_EQ(report->differences[1].baseline, "made");
  EXPECT_EQ(report->differences[1].exact_fix.low, 0);
  EXPECT_EQ(report->differences[1].exact_fix.high, 0);
  EXPECT_EQ(ToJson(*report)["differences"][1]["baseline"], "made");
  EXPECT_THAT(ToMarkdown(*report), HasSubstr("same less do nothing"));
}

TEST(CorrectEvalTest, LimitsRowsOfEachSet) {
  const QuerySet set = {"touch", {Row("helo", "hello"), Row("broken", "b")}};
  const auto report = RunCorrectEval({set, {"empty", {}}}, {kMade},
                                     {.max_rows = 1, .max_misses = 5});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->figures[1].rows, 1u);
  EXPECT_EQ(report->figures[0].misses.size(), 1u);
  EXPECT_EQ(report->figures[3].rows, 0u);
  EXPECT_DOUBLE_EQ(report->figures[3].exact_fix.value, 0);
}

TEST(CorrectEvalTest, ErrorsNameTheQuery) {
  const QuerySet set = {"touch", {Row("helo", "hello"), Row("broken", "b")}};
  const auto report = RunCorrectEval({set}, {kMade}, {});
  EXPECT_EQ(report.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(Message(report.status()),
              HasSubstr("touch, query 'broken': no model"));
}

TEST(CorrectEvalTest, ReportsHoldTheFigures) {
  const QuerySet set = {"touch", {Row("helo", "hello"), Row("jello", "hello")}};
  auto report = RunCorrectEval({set}, {kMade}, {.max_misses = 9});
  ASSERT_TRUE(report.ok());
  report->figures[1].p99_us = 1230;
  const auto json = ToJson(*report);
  const auto& made = json["sets"][1];
  EXPECT_EQ(made["set"], "touch");
  EXPECT_EQ(made["variant"], "made");
  EXPECT_EQ(made["rows"], 2);
  EXPECT_EQ(made["exact_fix"]["value"], 0.5);
  EXPECT_EQ(made["false_corrections"]["value"], 0.5);
  EXPECT_EQ(made["offered"]["value"], 1);
  EXPECT_EQ(made["gated"], 0);
  EXPECT_EQ(made["passes"], 3);
  EXPECT_EQ(made["p99_us"], 1230);
  ASSERT_EQ(made["misses"].size(), 1u);
  EXPECT_EQ(made["misses"][0]["query"], "jello");
  EXPECT_EQ(made["misses"][0]["outcome"], "showing_results_for");
  EXPECT_EQ(json["kinds"][1]["kind"], "1 edit");
  EXPECT_EQ(json["kinds"][1]["rows"], 2);

  const std::string text = ToMarkdown(*report);
  EXPECT_THAT(text, HasSubstr("exact fix %"));
  EXPECT_THAT(text, HasSubstr("50.0 (0.0-100.0)"));
  EXPECT_THAT(text, HasSubstr("1.23"));
  EXPECT_THAT(text, HasSubstr("neighbour key"));
  EXPECT_THAT(text, HasSubstr("missed query"));
  EXPECT_THAT(text, HasSubstr("jelly"));
  for (CorrectFigures& figures : report->figures) figures.misses.clear();
  EXPECT_THAT(ToMarkdown(*report), Not(HasSubstr("missed query")));
}

}  // namespace
}  // namespace quaver
