// Tests of JSONL bodies.
#include "quaver/api/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ParseDocumentsTest, GoodLinesAreKeptAndBadOnesNumbered) {
  const auto documents = ParseDocuments(
      "{\"title\": \"One\", \"artist\": \"A\"}\n"
      "\n"
      "{\"title\": \r\n"
      "  {\"title\": \"Two\", \"artist\": \"B\"}  \r\n"
      "[1]\n"
      "{\"artist\": \"nothing to call it\"}");
  ASSERT_TRUE(documents.ok());
  ASSERT_EQ(documents->entities.size(), 2u);
  EXPECT_EQ(documents->entities[0].title, "One");
  EXPECT_EQ(documents->entities[1].title, "Two");
  ASSERT_EQ(documents->rejected.size(), 3u);
  EXPECT_EQ(documents->rejected[0].line, 3u);
  EXPECT_EQ(documents->rejected[1].line, 5u);
  EXPECT_EQ(documents->rejected[2].line, 6u);
  EXPECT_THAT(documents->rejected[2].error, HasSubstr("title"));
}

TEST(ParseDocumentsTest, BlankBodiesHoldNothing) {
  for (const char* body : {"", "\n", " \r\n\t\n", "\xEF\xBB\xBF"}) {
    EXPECT_THAT(ParseDocuments(body)->entities, IsEmpty());
    EXPECT_THAT(ParseDocuments(body)->rejected, IsEmpty());
  }
}

TEST(ParseDocumentsTest, AByteOrderMarkIsNoMistake) {
  EXPECT_EQ(ParseDocuments("\xEF\xBB\xBF{\"title\": \"One\"}")->entities.size(),
            1u);
}

TEST(ParseDocumentsTest, ReasonsStayShort) {
  const auto documents =
      ParseDocuments("{\"title\": \"" + std::string(1 << 20, 'x') + "\n");
  ASSERT_EQ(documents->rejected.size(), 1u);
  EXPECT_LT(documents->rejected[0].error.size(), 310u);
}

TEST(ParseDocumentsTest, TooManyLinesAreRefused) {
  std::string body;
  for (size_t i = 0; i < kMaxLinesPerRequest; ++i) body += "x\n";
  EXPECT_EQ(ParseDocuments(body + "\n\n")->rejected.size(),
            kMaxLinesPerRequest);
  const auto status = ParseDocuments(body + "x").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(Message(status), HasSubstr("10000"));
}

}  // namespace
}  // namespace quaver
