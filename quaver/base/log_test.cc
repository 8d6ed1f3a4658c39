// Tests of the lines on standard error.
#include "quaver/base/log.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using Json = nlohmann::ordered_json;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override {
    SetLogFormat(LogFormat::kText);
    SetLogLevel(LogLevel::kInfo);
  }
  static std::string Printed(const std::function<void()>& log) {
    testing::internal::CaptureStderr();
    log();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, TextIsForPeople) {
  const std::string line =
      Printed([] { Log(LogLevel::kInfo, "GET \"/\"", {{"status", 200}}); });
  EXPECT_THAT(line, EndsWith(" info GET \"/\"\n"));
}

TEST_F(LogTest, JsonIsAnObjectALine) {
  SetLogFormat(LogFormat::kJson);
  const std::string line = Printed([] {
    Log(LogLevel::kWarning, "a \"b\"\nc",
        {{"method", "GET"}, {"status", 200}, {"seconds", 0.25}});
  });
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  Json json = Json::parse(line);
  EXPECT_THAT(json["time"].get<std::string>(),
              MatchesRegex("[0-9-]+T[0-9:.]+[+-][0-9:]+"));
  json.erase("time");
  EXPECT_EQ(json, Json({{"level", "warning"},
                        {"message", "a \"b\"\nc"},
                        {"method", "GET"},
                        {"status", 200},
                        {"seconds", 0.25}}));
}

TEST_F(LogTest, JsonTakesAnyBytes) {
  SetLogFormat(LogFormat::kJson);
  const Json json =
      Json::parse(Printed([] { LogError("{}", "\xff\x01 100% {}"); }));
  EXPECT_EQ(json["message"], "\xef\xbf\xbd\x01 100% {}");
  EXPECT_EQ(json["level"], "error");
}

TEST_F(LogTest, WhatLiesBelowTheLevelIsNotPrinted) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    SetLogFormat(format);
    SetLogLevel(LogLevel::kWarning);
    const std::string lines = Printed([] {
      LogInfo("one");
      LogWarning("two");
    });
    EXPECT_THAT(lines, Not(HasSubstr("one")));
    EXPECT_THAT(lines, HasSubstr("two"));
    SetLogLevel(LogLevel::kOff);
    EXPECT_EQ(Printed([] { LogError("three"); }), "");
  }
}

}  // namespace
}  // namespace quaver
