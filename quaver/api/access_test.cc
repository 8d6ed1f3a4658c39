// Tests of keys for writing and of CORS.
#include "quaver/api/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string WriteKeys(const std::string& content) {
  const std::string path = testing::TempDir() + "/quaver_api_keys";
  EXPECT_TRUE(WriteFileAtomically(path, content).ok());
  return path;
}

bool Accepts(const HttpFields& headers, const std::vector<std::string>& keys) {
  HttpRequest request;
  request.headers = headers;
  const auto refusal = CheckApiKey(request, keys);
  EXPECT_EQ(refusal ? refusal->status : 403, 403);
  return !refusal;
}

TEST(ApiKeysTest, OneALineWithoutSpaces) {
  EXPECT_THAT(
      LoadApiKeys(WriteKeys("# ours\nfirst\r\n\n  second key \nlast")).value(),
      ElementsAre("first", "second key", "last"));
}

TEST(ApiKeysTest, AFileWithoutKeysIsNamed) {
  const std::string path = WriteKeys("\n  \n# none\n");
  EXPECT_THAT(Message(LoadApiKeys(path).status()), HasSubstr(path));
  EXPECT_EQ(LoadApiKeys("/nowhere/keys").status().code(),
            absl::StatusCode::kNotFound);
}

TEST(ApiKeysTest, BothHeadersCarryAKey) {
  const std::vector<std::string> keys = {"alpha", "beta"};
  EXPECT_TRUE(Accepts({{"authorization", "Bearer beta"}}, keys));
  EXPECT_TRUE(Accepts({{"authorization", "bearer  alpha "}}, keys));
  EXPECT_TRUE(Accepts({{"x-api-key", "alpha"}}, keys));
}

TEST(ApiKeysTest, AnythingElseIsRefused) {
  const std::vector<std::string> keys = {"alpha", "beta"};
  for (const char* wrong :
       {"", "alph", "alphaa", "alphaalpha", "ALPHA", "betalpha"}) {
    EXPECT_FALSE(Accepts({{"x-api-key", wrong}}, keys)) << wrong;
    EXPECT_FALSE(
        Accepts({{"authorization", std::string("Bearer ") + wrong}}, keys));
  }
  EXPECT_FALSE(Accepts({{"authorization", "Basic alpha"}}, keys));
  EXPECT_FALSE(Accepts({{"x-api-key", std::string("alpha\0", 6)}}, keys));
  EXPECT_FALSE(Accepts({}, keys));
  EXPECT_FALSE(Accepts({{"x-api-key", ""}}, {}));
  EXPECT_FALSE(Accepts({{"x-api-key", "alpha"}}, {}));
}

class CorsTest : public testing::Test {
 protected:
  // The headers of the answer; "" for an absent one.
  std::string Header(const std::string& configured, const std::string& method,
                     const std::string& origin, const std::string& name) {
    Router router;
    router.Add("GET", "/a", [](const HttpRequest&) { return HttpResponse(); });
    AddCors(router, configured);
    HttpRequest request;
    request.method = method;
    request.path = "/a";
    if (!origin.empty()) request.headers = {{"origin", origin}};
    const HttpResponse response = router.Handle(request);
    const std::string* value = FindField(response.headers, name);
    return value == nullptr ? "" : *value;
  }
};

TEST_F(CorsTest, OnlyTheConfiguredOriginIsLetIn) {
  constexpr const char* kAllow = "Access-Control-Allow-Origin";
  const std::string origin = "https://example.org";
  EXPECT_EQ(Header(origin, "GET", origin, kAllow), origin);
  EXPECT_EQ(Header(origin, "GET", origin + ".evil.org", kAllow), "");
  EXPECT_EQ(Header(origin, "GET", "http://example.org", kAllow), "");
  EXPECT_EQ(Header(origin, "GET", "", kAllow), "");
  EXPECT_EQ(Header("", "GET", origin, kAllow), "");
  EXPECT_EQ(Header("*", "GET", origin, kAllow), "*");
  EXPECT_EQ(Header(origin, "GET", "https://other.org", "Vary"), "Origin");
}

TEST_F(CorsTest, PreflightsNameMethodsAndHeaders) {
  const std::string origin = "https://example.org";
  EXPECT_EQ(Header(origin, "OPTIONS", origin, "Access-Control-Allow-Methods"),
            "OPTIONS, GET, HEAD");
  EXPECT_THAT(Header(origin, "OPTIONS", origin, "Access-Control-Allow-Headers"),
              HasSubstr("X-API-Key"));
  EXPECT_EQ(Header(origin, "OPTIONS", "https://other.org",
                   "Access-Control-Allow-Methods"),
            "");
}

TEST_F(CorsTest, OriginsAreChecked) {
  for (const char* good : {"", "*", "https://a.org", "http://localhost:3000"}) {
    EXPECT_TRUE(CheckCorsOrigin(good).ok()) << good;
  }
  for (const char* bad : {"example.org", "https://", "https://a.org/",
                          "https://a.org, https://b.org", "https://*.a.org",
                          "https://a\r\nX: y"}) {
    EXPECT_FALSE(CheckCorsOrigin(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace quaver
