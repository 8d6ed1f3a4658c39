// Tests of metrics: their lines, the progress line, the page.
#include "quaver/train/metrics.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Metric Plain(int64_t step) {
  Metric metric;
  metric.step = step;
  metric.seconds = 0.5 * static_cast<double>(step);
  metric.loss = 1.2341;
  metric.learning_rate = 0.1 + 0.2;  // needs all its digits
  metric.gradient_norm = 0.75;
  metric.tokens_per_s = 8'900.4;
  metric.mfu = 0.21;
  return metric;
}

Metric Judged(int64_t step) {
  Metric metric = Plain(step);
  metric.evaluated = true;
  metric.held_out_loss = 1.5;
  metric.score = -0.25;
  metric.exact_fix = {{"word", 0.5}, {"artist", 0.724}, {"clean", 0.99}};
  return metric;
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

TEST(MetricsTest, LinesAreReadAsTheyWereWritten) {
  const std::vector<Metric> metrics = {Plain(100), Judged(200), Plain(300)};
  std::string lines;
  for (const Metric& metric : metrics) {
    const std::string line = ToJsonLine(metric);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    lines += line;
  }
  const auto read = ParseMetrics(lines);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, metrics);  // the sets in their order, too
  lines.pop_back();
  EXPECT_EQ(*ParseMetrics(lines), metrics);
  EXPECT_TRUE(ParseMetrics("")->empty());
}

TEST(MetricsTest, WhatWasNotJudgedIsLeftOut) {
  const std::string line = ToJsonLine(Plain(1));
  for (const char* name : {"held_out_loss", "score", "exact_fix"}) {
    EXPECT_THAT(line, Not(HasSubstr(name)));
    EXPECT_THAT(ToJsonLine(Judged(1)), HasSubstr(name));
  }
}

TEST(MetricsTest, ABadLineIsNamed) {
  const std::string good = ToJsonLine(Judged(1));
  const std::vector<std::string> all_bad = {
      "{",
      "{}",
      "[]",
      "3",
      "{\"step\": \"1\"}",
      good.substr(0, 40),
      R"({"step":1,"seconds":1,"loss":1,"learning_rate":1,"gradient_norm":1,)"
      R"("tokens_per_s":1,"mfu":1,"exact_fix":{"a":"b"}})"};
  for (const std::string& bad : all_bad) {
    const auto status = ParseMetrics(good + bad + "\n" + good).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(Message(status), HasSubstr("line 2 ")) << bad;
  }
}

TEST(ProgressLineTest, IsThatOfTheHeader) {
  Metric first = Plain(200), judged = Judged(1'100), last = Plain(1'200);
  first.seconds = 1'000;
  judged.exact_fix = {{"word", 0.5}, {"artist", 0.724}, {"clean", 0.99}};
  // 18,800 updates are left, of 5025 s / 18,800 each.
  last.seconds = 1'000 + 1'000 * 5'025.5 / 18'800;
  EXPECT_EQ(ProgressLine({first, judged, last}, 20'000),
            "step 1,200/20,000  loss 1.234  8,900 tokens/s  MFU 21 %"
            "  exact 61.2 %  false 1.0 %  1:23:45 left");
}

TEST(ProgressLineTest, SaysOnlyWhatIsKnown) {
  EXPECT_EQ(ProgressLine({}, 1'000'000), "step 0/1,000,000");
  EXPECT_EQ(ProgressLine({Plain(100)}, 900),
            "step 100/900  loss 1.234  8,900 tokens/s  MFU 21 %");
  EXPECT_THAT(ProgressLine({Judged(100)}, 900),
              HasSubstr("exact 61.2 %  false 1.0 %"));
  EXPECT_THAT(ProgressLine({Plain(100), Plain(900)}, 900),
              HasSubstr("0:00:00 left"));
}

TEST(ProgressLineTest, ExactAndFalseAreOfTheLastEvaluation) {
  Metric better = Judged(200);
  better.exact_fix = {{"clean", 0.75}, {"word", 0.9}};
  EXPECT_THAT(ProgressLine({Judged(100), better, Plain(300)}, 900),
              HasSubstr("exact 90.0 %  false 25.0 %"));
}

TEST(ReportTest, ShowsEverythingAndLoadsNothing) {
  const std::vector<Metric> metrics = {Judged(100), Plain(200), Judged(1'300)};
  const std::string html =
      ReportHtml("Training of x", metrics, "{\n  \"steps\": 7\n}\n");
  EXPECT_THAT(html, StartsWith("<!doctype html>"));
  EXPECT_THAT(html, HasSubstr("<title>Training of x</title>"));
  EXPECT_THAT(html, HasSubstr("<pre>{\n  \"steps\": 7\n}\n</pre>"));
  EXPECT_THAT(html, HasSubstr("1,300 updates in 0:10:50, 8900 useful tokens"));
  for (const char* title :
       {"Exact fix by set", "False corrections", "Loss",
        "Useful tokens a second", "MFU", "Learning rate", "Gradient norm"}) {
    EXPECT_THAT(html, HasSubstr(std::string("<figcaption>") + title));
  }
  for (const char* name : {"word", "artist", "training", "held out"}) {
    EXPECT_THAT(html, HasSubstr(std::string("'>") + name + " "));
  }
  // The sets, false corrections, two losses, speed, MFU, rate and norm.
  EXPECT_EQ(Count(html, "<polyline"), 9u);
  EXPECT_EQ(Count(html, "<svg"), Count(html, "</svg>"));
  EXPECT_EQ(Count(html, "<figure>"), Count(html, "</figure>"));
  for (const char* outside :
       {"http", "src=", "href", "<script", "@import", "url(", "nan", "inf"}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
}

TEST(ReportTest, TitleRecipeAndSetsAreTextNotMarkup) {
  Metric metric = Judged(1);
  metric.exact_fix = {{"<b>", 1}, {"c", 1}};
  const std::string html = ReportHtml("<i> & co", {metric}, "<u>&amp;");
  EXPECT_THAT(html, HasSubstr("<h1>&lt;i&gt; &amp; co</h1>"));
  EXPECT_THAT(html, HasSubstr("<pre>&lt;u&gt;&amp;amp;</pre>"));
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;"));
  for (const char* tag : {"<i>", "<u>", "<b>"}) {
    EXPECT_THAT(html, Not(HasSubstr(tag)));
  }
}

TEST(ReportTest, NeedsNoMetricsAndNoChange) {
  EXPECT_THAT(ReportHtml("x", {}, "{}"), HasSubstr("<pre>{}</pre>"));
  EXPECT_THAT(ReportHtml("x", {}, "{}"), Not(HasSubstr("<svg")));
  Metric still;  // all zeros
  still.step = 1;
  const std::string html = ReportHtml("x", {still, still}, "{}");
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, HasSubstr("<svg"));
}

TEST(MetricsTest, AnInfiniteNormIsReadAgain) {
  Metric metric;
  metric.gradient_norm = INFINITY;
  const auto read = ParseMetrics(ToJsonLine(metric));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[0].gradient_norm, INFINITY);
  EXPECT_THAT(ReportHtml("x", *read, ""), testing::Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace quaver
