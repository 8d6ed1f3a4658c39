// Tests of request targets.
#include "quaver/net/url.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(UrlTest, DecodesAnyByte) {
  EXPECT_EQ(PercentDecode("caf%C3%A9 +%2b").value(), "caf\xC3\xA9 ++");
  EXPECT_EQ(PercentDecode("%00%ff").value(), std::string("\0\xFF", 2));
  EXPECT_EQ(PercentDecode("").value(), "");
}

TEST(UrlTest, RefusesBrokenEncodingAndQuotesIt) {
  for (const char* text : {"%", "%4", "a%zz", "%4g", "%%41", "a%"}) {
    EXPECT_FALSE(PercentDecode(text).ok()) << text;
  }
  EXPECT_THAT(Message(PercentDecode("100%zz!").status()), HasSubstr("\"%zz\""));
}

TEST(UrlTest, EncodingIsUndoneByDecoding) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  EXPECT_EQ(PercentDecode(PercentEncode(bytes)).value(), bytes);
  EXPECT_EQ(PercentEncode("a-b c/\xC3"), "a-b%20c%2F%C3");
}

TEST(UrlTest, QueryKeepsOrderDoublesAndEmptyValues) {
  const Target target =
      ParseTarget("/v1/search?q=hey+jude%21&limit=&flag&q=b&&=x").value();
  EXPECT_EQ(target.path, "/v1/search");
  EXPECT_THAT(target.query,
              ElementsAre(Pair("q", "hey jude!"), Pair("limit", ""),
                          Pair("flag", ""), Pair("q", "b"), Pair("", "x")));
}

TEST(UrlTest, ValuesMayHoldEveryDelimiter) {
  const Target target = ParseTarget("/?a=b=c&d=%26%3D%3F&e=?/").value();
  EXPECT_THAT(target.query,
              ElementsAre(Pair("a", "b=c"), Pair("d", "&=?"), Pair("e", "?/")));
}

TEST(UrlTest, TakesTheFormsOfATarget) {
  EXPECT_EQ(ParseTarget("/").value().path, "/");
  EXPECT_EQ(ParseTarget("*").value().path, "*");
  EXPECT_EQ(ParseTarget("http://host:80/a?b=c").value().path, "/a");
  EXPECT_EQ(ParseTarget("http://host").value().path, "/");
  EXPECT_THAT(ParseTarget("/a?").value().query, IsEmpty());
  for (const char* bad : {"", "a", "?q=a", "ftp://a/", "/a%", "/?q=%x"}) {
    EXPECT_FALSE(ParseTarget(bad).ok()) << bad;
  }
}

TEST(UrlTest, AnEncodedSlashSplitsNothing) {
  EXPECT_THAT(SplitPath("/v1/documents/track:a%2Fb").value(),
              ElementsAre("v1", "documents", "track:a/b"));
  EXPECT_THAT(SplitPath("/").value(), ElementsAre(""));
  EXPECT_THAT(SplitPath("/a/").value(), ElementsAre("a", ""));
}

// What the fuzzer found or was given must parse to the same twice.
TEST(UrlTest, CorpusRoundTrips) {
  int num_files = 0;
  for (const auto& file : std::filesystem::directory_iterator(
           QUAVER_SOURCE_DIR "/tests/corpora/url_fuzz")) {
    ++num_files;
    const auto target = ParseTarget(ReadFile(file.path()).value());
    if (!target.ok() || target->path == "*") continue;
    std::string again = target->path + "?";
    for (const auto& [name, value] : target->query) {
      again += PercentEncode(name) + "=" + PercentEncode(value) + "&";
    }
    EXPECT_EQ(ParseTarget(again).value().query, target->query) << file.path();
  }
  EXPECT_GE(num_files, 5);
}

}  // namespace
}  // namespace quaver
