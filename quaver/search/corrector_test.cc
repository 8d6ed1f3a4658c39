// Tests of the spelling corrector, with a model and without.
#include "quaver/search/corrector.h"

#include <atomic>
#include <cmath>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/search/internal/insistence.h"
#include "quaver/search/search_bar.h"
#include "quaver/text/compare.h"
#include "quaver/text/edit_distance.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A language model of the simplest kind: a text is as likely as it is near the
// query, and its answers are given.
class NearModel : public Servable {
 public:
  std::vector<TensorSpec> inputs() const override { return {}; }
  std::vector<TensorSpec> outputs() const override { return {}; }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request, const CallOptions& call,
                                CallTimes*) override {
    ++calls;
    deadline_us = call.deadline_us;
    if (cancels != nullptr) *cancels = true;
    if (full) return absl::UnavailableError("the line is full");
    const EditPattern text(request[0].strings[0]);
    const auto score = [&](const std::string& other) {
      return -0.5f - 2.0f * static_cast<float>(text.Osa(other));
    };
    Tensor answers{.name = "CORRECTED"}, scores{.name = "SCORE"};
    for (const std::string& answer : this->answers) {
      answers.strings.push_back(answer);
      Append(score(answer), scores);
    }
    Tensor drafts{.name = "DRAFT_SCORE"}, passes{.name = "PASSES"};
    for (const std::string& draft : request[1].strings) {
      Append(score(draft), drafts);
    }
    Append(int32_t{2}, passes);
    if (broken) passes.name = "OTHER";
    return Tensors{answers, scores, drafts, passes};
  }

  std::vector<std::string> answers;
  int calls = 0;
  bool full = false;
  bool broken = false;
  int64_t deadline_us = 0;               // of the last call
  std::atomic<bool>* cancels = nullptr;  // set by each call

 private:
  template <typename T>
  static void Append(T value, Tensor& tensor) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    tensor.raw.insert(tensor.raw.end(), bytes, bytes + sizeof(value));
  }
};

std::shared_ptr<const Segment> BuildSegment(
    const std::vector<std::pair<std::string, std::string>>& tracks,
    const std::string& prefix) {
  SegmentBuilder builder({.dimension = 0, .vectors = {}});
  for (size_t i = 0; i < tracks.size(); ++i) {
    Document document{.type = 0,
                      .id = fmt::format("track:{}{}", prefix, i),
                      .title = tracks[i].first,
                      .artist = tracks[i].second,
                      .popularity = 0.9f - 0.05f * static_cast<float>(i)};
    EXPECT_TRUE(builder.Add(std::move(document)).ok());
  }
  auto artifact = Artifact::FromBytes(builder.Finish().value().Serialize(),
                                      kSegmentFormat, kSegmentVersion);
  return Segment::FromArtifact(*artifact, BestKernels()).value();
}

class CorrectorTest : public testing::Test {
 protected:
  void SetUp() override {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->segments.push_back(
        {BuildSegment({{"Yesterday", "The Beatles"},
                       {"Help!", "The Beatles"},
                       {"Bohemian Rhapsody", "Queen"},
                       {"Strobe", "deadmau5"},
                       {"The Mother We Share", "CHVRCHES"},
                       {"Tik Tok", "Ke$ha"},
                       {"†††", "†††"},
                       {"人生のメリーゴーランド", "久石譲"},
                       {"Photograph", "Ed Sheeran"},
                       {"Photograph", "Nickelback"},
                       {"Body & Blood", "clipping."}},
                      "a"),
         nullptr});
    snapshot_ = snapshot;
    ASSERT_TRUE(servables_.Add("corrector", model_).ok());
    bar_ = MakeBar("corrector");
  }
  std::unique_ptr<SearchBar> MakeBar(const std::string& corrector) {
    return SearchBar::Create({.encoder = "", .corrector = corrector},
                             servables_, [this] { return snapshot_; })
        .value();
  }
  Correction Correct(const std::string& query,
                     const CorrectOptions& options = {}) {
    return bar_->Correct(query, options).value();
  }

  std::shared_ptr<NearModel> model_ = std::make_shared<NearModel>();
  ServableRegistry servables_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::unique_ptr<SearchBar> bar_;
};

TEST_F(CorrectorTest, MendsFromNames) {
  const Correction correction = Correct("beetles yesterdy ");
  EXPECT_EQ(correction.text, "beatles yesterday");
  EXPECT_TRUE(correction.applied);
  EXPECT_EQ(correction.outcome, SpellingOutcome::kShown);
  EXPECT_THAT(correction.spans, SizeIs(1));
  EXPECT_GT(correction.confidence, 0.5);
  EXPECT_LE(correction.confidence, 1);
  EXPECT_EQ(correction.passes, 2);
}

TEST_F(CorrectorTest, MendsWithoutAModel) {
  const auto bar = MakeBar("");
  const int calls = model_->calls;
  EXPECT_EQ(bar->Correct("bohemain rapsody ")->text, "bohemian rhapsody");
  EXPECT_EQ(model_->calls, calls);
}

TEST_F(CorrectorTest, TheModelsAnswersAreReadings) {
  model_->answers = {"rainy days", "rainy day"};
  const Correction correction = Correct("rany daysx ", {.explain = true});
  std::vector<std::string> texts;
  for (const auto& reading : correction.readings) texts.push_back(reading.text);
  EXPECT_THAT(texts, Contains("rainy days"));
  EXPECT_THAT(texts, Contains("rainy day"));
  EXPECT_EQ(texts.front(), "rany daysx");
}

TEST_F(CorrectorTest, SpacesAloneAreMendedSilently) {
  const Correction correction = Correct("bohemianrhapsody ");
  EXPECT_EQ(correction.text, "bohemian rhapsody");
  EXPECT_EQ(correction.outcome, SpellingOutcome::kSilent);
}

TEST_F(CorrectorTest, TheGatePassesWhatTheCatalogueExplains) {
  const int calls = model_->calls;
  for (const char* query : {"yesterday", "Beatles HELP", "queen rhapsody"}) {
    const Correction correction = Correct(query);
    EXPECT_TRUE(correction.gated) << query;
    EXPECT_EQ(correction.text, query);
    EXPECT_FALSE(correction.applied);
  }
  EXPECT_EQ(model_->calls, calls);
  EXPECT_FALSE(Correct("yesterday", {.gate = false}).gated);
  EXPECT_EQ(model_->calls, calls + 1);
  ASSERT_TRUE(bar_->Search({.query = "yesterday"}).ok());
  EXPECT_EQ(model_->calls, calls + 1);
  ASSERT_TRUE(bar_->Search({.query = "yesterday", .gate = false}).ok());
  EXPECT_EQ(model_->calls, calls + 2);
}

TEST_F(CorrectorTest, FewLettersOfANameDoNotPassTheGate) {
  EXPECT_TRUE(Correct("mother we share").gated);
  EXPECT_TRUE(Correct("help").gated);  // all of a name
  EXPECT_FALSE(Correct("mother").gated);
  EXPECT_FALSE(Correct("mother").applied);
}

TEST_F(CorrectorTest, LostSignsAreNothingToAskAbout) {
  for (const char* query : {"asdfgh qwert 🎵", "asdfgh?! qwert", "asdfgh†"}) {
    model_->answers = {ComparableText(query)};
    const Correction correction = Correct(query, {.explain = true});
    EXPECT_EQ(correction.text, query);
    EXPECT_EQ(correction.outcome, SpellingOutcome::kNone) << query;
    EXPECT_THAT(correction.alternatives, IsEmpty()) << query;
    EXPECT_THAT(correction.readings, SizeIs(1)) << query;
  }
}

TEST_F(CorrectorTest, AnswersWithHalfACharacterAreNoReadings) {
  model_->answers = {"春 夏\xE7\xA7 冬", "春 夏 \uFFFD 冬"};
  const Correction correction = Correct("春 夏 秋 冬", {.explain = true});
  EXPECT_EQ(correction.outcome, SpellingOutcome::kNone);
  EXPECT_THAT(correction.readings, SizeIs(1));
}

TEST_F(CorrectorTest, RareNamesStay) {
  for (const char* query :
       {"deadmau5", "CHVRCHES", "Ke$ha", "†††", "久石譲", "strobe deadmau5"}) {
    EXPECT_FALSE(Correct(query).applied) << query;
  }
  // Not in the catalogue.
  for (const char* query : {"MGMT", "P!nk", "Sunn O)))"}) {
    model_->answers = {"yesterday"};
    EXPECT_FALSE(Correct(query).applied) << query;
  }
}

TEST_F(CorrectorTest, NamesWithSignsStayBesideOtherWords) {
  model_->answers = {"kesha tik tok", "clippin body and blood"};
  for (const auto& [query, text] :
       {std::pair("Ke$ha tik tokk ", "Ke$ha tik tok"),
        std::pair("tik tokk KE$HA ", "tik tok KE$HA"),
        std::pair("clipping. body blod ", "clipping. body blood")}) {
    const Correction correction = Correct(query);
    EXPECT_EQ(correction.text, text);
    EXPECT_TRUE(correction.applied) << query;
    EXPECT_EQ(correction.spans.size(), 1u) << query;
    for (const auto& other : correction.alternatives) {
      EXPECT_TRUE(Insistence(query, *snapshot_).Allows(Normalize(other.text)))
          << other.text;
    }
  }
  // Not in the catalogue.
  model_->answers = {"sun no", "sun o yesterday"};
  EXPECT_EQ(Correct("Sunn O)))").outcome, SpellingOutcome::kNone);
  EXPECT_EQ(Correct("Sunn O))) yesterdy ").text, "Sunn O))) yesterday");
}

TEST_F(CorrectorTest, SignsAloneAreNotAskedAbout) {
  const int calls = model_->calls;
  EXPECT_EQ(Correct("†††† ‡‡‡").outcome, SpellingOutcome::kNone);
  EXPECT_EQ(model_->calls, calls);
}

TEST_F(CorrectorTest, WordsAreFoundByTheirSound) {
  model_->answers = {"fotograf"};
  const auto texts = [this](const std::string& query) {
    std::vector<std::string> texts;
    for (const auto& reading : Correct(query, {.explain = true}).readings) {
      texts.push_back(reading.text);
    }
    return texts;
  };
  EXPECT_THAT(texts("fotograf "), Contains("photograph"));
  EXPECT_THAT(texts("fotograf"), Contains("photograph"));
}

TEST_F(CorrectorTest, WordsInQuotesStay) {
  EXPECT_EQ(Correct("\"beetles\" yesterdy ").text, "\"beetles\" yesterday");
  EXPECT_FALSE(Correct("\"beetles yesterdy\"").applied);
}

TEST_F(CorrectorTest, NewNamesCountAtOnce) {
  EXPECT_FALSE(Correct("zyxomma quilg ").applied);
  auto snapshot = std::make_shared<Snapshot>(*snapshot_);
  snapshot->segments.push_back(
      {BuildSegment({{"Quilt", "Zyxomma"}}, "b"), nullptr});
  snapshot_ = snapshot;
  EXPECT_EQ(Correct("zyxomma quilg ").text, "zyxomma quilt");
  // Not those that were deleted.
  auto deleted = std::make_shared<Tombstones>(1);
  deleted->Set(0);
  snapshot = std::make_shared<Snapshot>(*snapshot_);
  snapshot->segments[1].deleted = deleted;
  snapshot_ = snapshot;
  EXPECT_FALSE(Correct("zyxomma quilt ").gated);
}

TEST_F(CorrectorTest, AnUnfinishedWordIsCompletedInAFieldOfItsOwn) {
  const Correction correction = Correct("beatles yester");
  EXPECT_FALSE(correction.applied);
  EXPECT_EQ(correction.completion, "beatles yesterday");
  EXPECT_EQ(Correct("beatles yesterday").completion, "");
  EXPECT_EQ(Correct("beetles yester").completion, "beatles yesterday");
}

TEST_F(CorrectorTest, SearchUsesTheCorrectionUnlessTold) {
  const SearchResponse mended =
      bar_->Search({.query = "bohemain rapsody"}).value();
  EXPECT_TRUE(mended.correction.applied);
  EXPECT_EQ(mended.query, "bohemain rapsody");
  ASSERT_TRUE(mended.best);
  EXPECT_EQ(mended.best->title, "Bohemian Rhapsody");
  EXPECT_EQ(mended.best->highlights.size(), 2u);
  const SearchResponse raw =
      bar_->Search({.query = "bohemain rapsody", .correct = false}).value();
  EXPECT_FALSE(raw.correction.applied);
  EXPECT_EQ(raw.correction.text, "");
}

TEST_F(CorrectorTest, SuggestionsAreOfWhatWasMeant) {
  const auto suggestions = bar_->Suggest("bohemain rapsody").value();
  ASSERT_FALSE(suggestions.empty());
  EXPECT_EQ(suggestions[0].title, "Bohemian Rhapsody");
}

TEST_F(CorrectorTest, AModelThatFailsLeavesTheSearch) {
  model_->full = true;
  const auto response = bar_->Search({.query = "bohemain rapsody"});
  ASSERT_TRUE(response.ok());
  EXPECT_FALSE(response->correction.applied);
  EXPECT_TRUE(response->best);
  EXPECT_TRUE(absl::IsUnavailable(bar_->Correct("beetles").status()));
  model_->full = false;
  model_->broken = true;
  EXPECT_TRUE(absl::IsInternal(bar_->Correct("beetles").status()));
}

TEST_F(CorrectorTest, TheModelIsAskedWithTheSearchsDeadline) {
  constexpr int64_t kDeadlineUs = kNever - 7;
  ASSERT_TRUE(bar_->Search({.query = "bohemain rapsody",
                            .call = {.deadline_us = kDeadlineUs}})
                  .ok());
  EXPECT_EQ(model_->deadline_us, kDeadlineUs);
  ASSERT_TRUE(
      bar_->Correct("beetles", {.call = {.deadline_us = kDeadlineUs - 1}})
          .ok());
  EXPECT_EQ(model_->deadline_us, kDeadlineUs - 1);
  ASSERT_TRUE(
      bar_->Suggest("bohemain rapsody", {.deadline_us = kDeadlineUs - 2}).ok());
  EXPECT_EQ(model_->deadline_us, kDeadlineUs - 2);
}

TEST_F(CorrectorTest, WhatNobodyWantsAnyMoreIsNotGoneOnWith) {
  const CallOptions late{.deadline_us = 0};
  const int calls = model_->calls;
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      bar_->Search({.query = "bohemain rapsody", .call = late}).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      bar_->Correct("beetles", {.call = late}).status()));
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(bar_->Suggest("beetles", late).status()));
  EXPECT_EQ(model_->calls, calls);
  std::atomic<bool> cancelled = false;  // while the model is asked
  model_->cancels = &cancelled;
  EXPECT_TRUE(absl::IsCancelled(
      bar_->Search({.query = "beetles", .call = {.cancelled = &cancelled}})
          .status()));
  EXPECT_EQ(model_->calls, calls + 1);
}

TEST_F(CorrectorTest, AnyBytesAreAnswered) {
  std::string words;
  for (int i = 0; i < 500; ++i) words += "beetles ";
  model_->answers = {"\xff\xfe", "", "!!!", "a\nb"};
  for (const std::string& query :
       {std::string(), std::string("a"), std::string(" "), std::string("!?"),
        std::string("\xff\xfe\x80"), std::string(5'000, 'x'), words,
        std::string("beetles\0yes", 11), std::string("שלום עולם"),
        std::string("\u202eabc"), std::string("a\tb\nc\r\x01")}) {
    const auto correction = bar_->Correct(query, {.gate = false});
    ASSERT_TRUE(correction.ok());
    EXPECT_EQ(ToUtf8(ToCodePoints(correction->text)), correction->text);
  }
  EXPECT_FALSE(Correct(words).applied);
}

}  // namespace
}  // namespace quaver
