// Tests of the router, and of how errors become answers.
#include "quaver/net/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using ::testing::HasSubstr;

HttpResponse Text(std::string text) {
  return {.status = 200,
          .content_type = "text/plain",
          .headers = {},
          .body = std::move(text)};
}

Router MakeRouter() {
  Router router;
  router.Add("GET", "/v1/documents/{id}", [](const HttpRequest& request) {
    return Text("get " + request.segment);
  });
  router.Add("DELETE", "/v1/documents/{id}", [](const HttpRequest& request) {
    return Text("delete " + request.segment);
  });
  router.Add("GET", "/v1/documents/all",
             [](const HttpRequest&) { return Text("all"); });
  router.Add("GET", "/v2/models/{model}/ready",
             [](const HttpRequest& request) { return Text(request.segment); });
  router.Add("GET", "/", [](const HttpRequest&) { return Text("page"); });
  return router;
}

HttpResponse Call(const Router& router, const std::string& method,
                  const std::string& path) {
  HttpRequest request;
  request.method = method;
  request.path = path;
  return router.Handle(request);
}

TEST(RouterTest, ExactPathsWinOverPatterns) {
  const Router router = MakeRouter();
  EXPECT_EQ(Call(router, "GET", "/v1/documents/all").body, "all");
  EXPECT_EQ(Call(router, "GET", "/v1/documents/alle").body, "get alle");
  EXPECT_EQ(Call(router, "GET", "/").body, "page");
}

TEST(RouterTest, ParametersAreDecodedAfterSplitting) {
  const Router router = MakeRouter();
  EXPECT_EQ(Call(router, "GET", "/v1/documents/track:a%2Fb%20c").body,
            "get track:a/b c");
  EXPECT_EQ(Call(router, "DELETE", "/v1/documents/x").body, "delete x");
  EXPECT_EQ(Call(router, "GET", "/v2/models/bart/ready").body, "bart");
}

TEST(RouterTest, PatternsMayHaveSeveralParameters) {
  Router router;
  router.Add("GET", "/m/{model}/versions/{version}/ready",
             [](const HttpRequest& request) {
               return Text(request.segment + " " + request.segments[0] + " " +
                           request.segments.at(1));
             });
  router.Add("GET", "/m/all/versions/1/ready",
             [](const HttpRequest&) { return Text("exact"); });
  EXPECT_EQ(Call(router, "GET", "/m/a%2Fb/versions/2/ready").body, "a/b a/b 2");
  EXPECT_EQ(Call(router, "GET", "/m/all/versions/1/ready").body, "exact");
  EXPECT_EQ(Call(router, "GET", "/m/a/versions//ready").status, 404);
}

TEST(RouterTest, ErrorsMayHaveOtherBodies) {
  Router router([](int status, std::string_view message) {
    HttpResponse response = Text("own: " + std::string(message));
    response.status = status;
    return response;
  });
  router.Add("GET", "/", [](const HttpRequest&) { return Text("page"); });
  EXPECT_THAT(Call(router, "GET", "/x").body, HasSubstr("own: nothing"));
  EXPECT_EQ(Call(router, "GET", "/x").status, 404);
  const HttpResponse wrong = Call(router, "PUT", "/");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_THAT(wrong.body, HasSubstr("own: "));
  EXPECT_NE(FindField(wrong.headers, "Allow"), nullptr);
  EXPECT_EQ(Call(router, "GET", "/%g").status, 400);
  EXPECT_THAT(Call(router, "GET", "/%g").body, HasSubstr("own: "));
}

TEST(RouterTest, UnknownPathsAre404AndQuoted) {
  const Router router = MakeRouter();
  for (const char* path : {"/v1", "/v1/documents/", "/v1/documents/a/b",
                           "/v1/documents", "//", "*", ""}) {
    const HttpResponse response = Call(router, "GET", path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_THAT(response.body, HasSubstr(path));
  }
  EXPECT_EQ(Call(router, "GET", "/v1/documents/%g").status, 400);
}

TEST(RouterTest, WrongMethodsAre405WithAllow) {
  const Router router = MakeRouter();
  const HttpResponse response = Call(router, "POST", "/v1/documents/x");
  EXPECT_EQ(response.status, 405);
  ASSERT_NE(FindField(response.headers, "Allow"), nullptr);
  EXPECT_EQ(*FindField(response.headers, "Allow"),
            "OPTIONS, DELETE, GET, HEAD");
}

TEST(RouterTest, HeadIsGetAndOptionsListsMethods) {
  const Router router = MakeRouter();
  EXPECT_EQ(Call(router, "HEAD", "/").body, "page");
  const HttpResponse options = Call(router, "OPTIONS", "/");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(*FindField(options.headers, "Allow"), "OPTIONS, GET, HEAD");
}

TEST(RouterTest, HooksSeeEveryAnswerAndItsRoute) {
  Router router = MakeRouter();
  std::vector<std::pair<std::string, int>> seen;
  router.AddHook([&](const HttpRequest& request, HttpResponse& response) {
    seen.emplace_back(request.route, response.status);
    response.headers.emplace_back("X-Seen", "yes");
  });
  EXPECT_EQ(
      *FindField(Call(router, "GET", "/v1/documents/x").headers, "X-Seen"),
      "yes");
  Call(router, "GET", "/nowhere");
  Call(router, "PUT", "/");
  EXPECT_THAT(seen, testing::ElementsAre(
                        testing::Pair("/v1/documents/{id}", 200),
                        testing::Pair("", 404), testing::Pair("/", 405)));
}

TEST(ErrorResponseTest, IsJsonWhateverTheMessageHolds) {
  const HttpResponse response = ErrorResponse(400, "bad \"\xFF\" byte\n", "q");
  const auto json = nlohmann::json::parse(response.body);
  EXPECT_EQ(json["error"], "bad \"\xEF\xBF\xBD\" byte\n");
  EXPECT_EQ(json["status"], 400);
  EXPECT_EQ(json["field"], "q");
  EXPECT_FALSE(
      nlohmann::json::parse(ErrorResponse(404, "x").body).contains("field"));
}

TEST(ErrorResponseTest, CodesMapToStatuses) {
  EXPECT_EQ(ErrorResponse(absl::InvalidArgumentError("x")).status, 400);
  EXPECT_EQ(ErrorResponse(absl::NotFoundError("x")).status, 404);
  EXPECT_EQ(ErrorResponse(absl::PermissionDeniedError("x")).status, 403);
  EXPECT_EQ(ErrorResponse(absl::DataLossError("x")).status, 500);
  const HttpResponse full = ErrorResponse(absl::ResourceExhaustedError("x"));
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(*FindField(full.headers, "Retry-After"), "1");
}

}  // namespace
}  // namespace quaver
