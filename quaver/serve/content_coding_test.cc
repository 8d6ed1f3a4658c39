// Tests of compressed bodies: whole, damaged, too large.
#include "quaver/serve/content_coding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using ::testing::HasSubstr;

std::string Text() {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * i) + ",";
  return text;
}

TEST(ContentCodingTest, WhatIsEncodedIsDecoded) {
  for (const auto coding : {ContentCoding::kIdentity, ContentCoding::kGzip,
                            ContentCoding::kDeflate}) {
    for (const std::string& text :
         {std::string(), std::string("a"), std::string(3, '\0'), Text()}) {
      const std::string encoded = EncodeBody(coding, text);
      const auto decoded = DecodeBody(coding, encoded, text.size());
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(*decoded, text);
    }
  }
  EXPECT_LT(EncodeBody(ContentCoding::kGzip, Text()).size(), Text().size() / 2);
}

TEST(ContentCodingTest, MoreThanTheLimitIsNotMade) {
  const std::string zeros(10 << 20, '\0');
  const std::string bomb = EncodeBody(ContentCoding::kGzip, zeros);
  EXPECT_LT(bomb.size(), 100'000u);
  const auto status =
      DecodeBody(ContentCoding::kGzip, bomb, zeros.size() - 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(DecodeBody(ContentCoding::kGzip, bomb, zeros.size()).ok());
  EXPECT_FALSE(DecodeBody(ContentCoding::kIdentity, "ab", 1).ok());
}

TEST(ContentCodingTest, DamageIsRefused) {
  const std::string text = Text();
  for (const auto coding : {ContentCoding::kGzip, ContentCoding::kDeflate}) {
    const std::string encoded = EncodeBody(coding, text);
    const auto code = [&](const std::string& bytes) {
      return DecodeBody(coding, bytes, text.size()).status().code();
    };
    EXPECT_EQ(code(""), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code("{}"), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code(encoded + "x"), absl::StatusCode::kInvalidArgument);
    for (size_t bytes :
         {size_t{1}, size_t{5}, encoded.size() / 2, encoded.size() - 1}) {
      EXPECT_EQ(code(encoded.substr(0, bytes)),
                absl::StatusCode::kInvalidArgument)
          << bytes;
    }
    std::string flipped = encoded;
    flipped[flipped.size() - 1] ^= 1;  // of the checksum or the size
    EXPECT_EQ(code(flipped), absl::StatusCode::kInvalidArgument);
  }
}

TEST(ContentCodingTest, OnlyOneKnownCodingIsTaken) {
  EXPECT_EQ(*ParseContentCoding(""), ContentCoding::kIdentity);
  EXPECT_EQ(*ParseContentCoding(" GZip "), ContentCoding::kGzip);
  EXPECT_EQ(*ParseContentCoding("deflate"), ContentCoding::kDeflate);
  for (const char* header : {"br", "gzip, gzip", "gzip,", "x-gzip"}) {
    const auto status = ParseContentCoding(header).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << header;
    EXPECT_THAT(Message(status), HasSubstr(header));
  }
}

TEST(ContentCodingTest, TheClientsFavouriteIsAnswered) {
  EXPECT_EQ(AcceptedCoding(""), ContentCoding::kIdentity);
  EXPECT_EQ(AcceptedCoding("gzip"), ContentCoding::kGzip);
  EXPECT_EQ(AcceptedCoding("gzip, deflate, br"), ContentCoding::kGzip);
  EXPECT_EQ(AcceptedCoding("gzip;q=0.5, deflate"), ContentCoding::kDeflate);
  EXPECT_EQ(AcceptedCoding("identity, gzip;q=0.9"), ContentCoding::kIdentity);
  EXPECT_EQ(AcceptedCoding("br;q=1.0"), ContentCoding::kIdentity);
  EXPECT_EQ(AcceptedCoding("gzip;q=0"), ContentCoding::kIdentity);
  EXPECT_EQ(AcceptedCoding("gzip;q=much,,;,"), ContentCoding::kIdentity);
}

}  // namespace
}  // namespace quaver
