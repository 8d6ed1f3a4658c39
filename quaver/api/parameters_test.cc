// Tests of query parameters.
#include "quaver/api/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

HttpRequest WithQuery(HttpFields query) {
  HttpRequest request;
  request.query = std::move(query);
  return request;
}

// The mistake's message; its field must be `field`.
std::string ErrorOf(const Parameters& parameters, const std::string& field) {
  if (!parameters.error()) return "no error";
  EXPECT_EQ(parameters.error()->status, 400);
  const auto json = nlohmann::json::parse(parameters.error()->body);
  EXPECT_EQ(json["field"], field);
  return json["error"];
}

TEST(ParametersTest, AbsentOnesHaveDefaults) {
  const HttpRequest request = WithQuery({});
  Parameters parameters(request, {"a"});
  EXPECT_EQ(parameters.Text("a"), "");
  EXPECT_EQ(parameters.Integer("a", 7, 1, 10), 7);
  EXPECT_FALSE(parameters.Flag("a"));
  EXPECT_EQ(parameters.Choice("a", {"auto", "off"}), "auto");
  EXPECT_THAT(parameters.Types("a"), IsEmpty());
  EXPECT_TRUE(parameters.FilterOf("a").accepts_all());
  EXPECT_FALSE(parameters.error());
}

TEST(ParametersTest, GoodOnesAreRead) {
  const HttpRequest request = WithQuery({{"n", "100"},
                                         {"f", "true"},
                                         {"g", "1"},
                                         {"h", "0"},
                                         {"s", "off"},
                                         {"t", "show,track,show"},
                                         {"c", "genre:Rock;year:1980.."}});
  Parameters parameters(request, {"n", "f", "g", "h", "s", "t", "c"});
  EXPECT_EQ(parameters.Integer("n", 7, 1, 100), 100);
  EXPECT_TRUE(parameters.Flag("f"));
  EXPECT_TRUE(parameters.Flag("g"));
  EXPECT_FALSE(parameters.Flag("h"));
  EXPECT_EQ(parameters.Choice("s", {"auto", "off"}), "off");
  EXPECT_THAT(parameters.Types("t"),
              ElementsAre(EntityType::kShow, EntityType::kTrack));
  EXPECT_EQ(parameters.FilterOf("c").min_year, 1980);
  EXPECT_FALSE(parameters.error());
}

TEST(ParametersTest, UnknownNamesListTheKnown) {
  const HttpRequest request = WithQuery({{"qq", "x"}});
  const Parameters parameters(request, {"q", "limit"});
  EXPECT_THAT(ErrorOf(parameters, "qq"),
              AllOf(HasSubstr("\"qq\""), HasSubstr("q, limit")));
}

TEST(ParametersTest, TwiceIsRefused) {
  const HttpRequest request = WithQuery({{"q", "a"}, {"q", "a"}});
  EXPECT_THAT(ErrorOf(Parameters(request, {"q"}), "q"),
              HasSubstr("more than once"));
}

TEST(ParametersTest, WrongNumbersNameTheRange) {
  for (const char* value : {"", "0", "101", "-1", "1.5", "ten", "1 ", " 1",
                            "+1", "0x10", "99999999999999999999"}) {
    const HttpRequest request = WithQuery({{"limit", value}});
    Parameters parameters(request, {"limit"});
    EXPECT_EQ(parameters.Integer("limit", 10, 1, 100), 10);
    EXPECT_THAT(ErrorOf(parameters, "limit"),
                AllOf(HasSubstr("from 1 to 100"), HasSubstr(value)));
  }
}

TEST(ParametersTest, WrongFlagsTypesAndFiltersAreNamed) {
  const HttpRequest request = WithQuery(
      {{"facets", "yes"}, {"types", "track,song"}, {"filter", "genre"}});
  Parameters flags(request, {"facets", "types", "filter"});
  flags.Flag("facets");
  EXPECT_THAT(ErrorOf(flags, "facets"), HasSubstr("\"yes\""));
  Parameters types(request, {"facets", "types", "filter"});
  types.Types("types");
  EXPECT_THAT(ErrorOf(types, "types"),
              AllOf(HasSubstr("song"), HasSubstr("playlist")));
  Parameters filter(request, {"facets", "types", "filter"});
  filter.FilterOf("filter");
  EXPECT_THAT(ErrorOf(filter, "filter"), HasSubstr("genre"));
}

TEST(ParametersTest, WrongChoicesListTheRightOnes) {
  for (const char* value : {"", "on", "OFF", "auto,off"}) {
    const HttpRequest request = WithQuery({{"spell", value}});
    Parameters parameters(request, {"spell"});
    EXPECT_EQ(parameters.Choice("spell", {"auto", "off"}), "auto");
    EXPECT_THAT(ErrorOf(parameters, "spell"),
                AllOf(HasSubstr("auto or off"), HasSubstr(value)));
  }
}

TEST(ParametersTest, TheFirstMistakeIsToldAndLongValuesAreCut) {
  const HttpRequest request =
      WithQuery({{"a", std::string(5'000, 'x')}, {"b", "y"}});
  Parameters parameters(request, {"a", "b"});
  parameters.Integer("a", 1, 0, 9);
  parameters.Flag("b");
  EXPECT_LT(ErrorOf(parameters, "a").size(), 200u);
}

}  // namespace
}  // namespace quaver
