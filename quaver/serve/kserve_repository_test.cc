// Tests of the repository's routes: what clients send and are told.
#include "quaver/serve/kserve_repository.h"

#include <nlohmann/json.hpp>

#include "quaver/serve/kserve.h"
#include "quaver/serve/kserve_errors.h"
#include "quaver/serve/model_repository_fixture.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class KserveRepositoryTest : public ModelRepositoryTest {
 protected:
  KserveRepositoryTest() { config_.control = ModelControl::kExplicit; }

  void Serve() {
    ASSERT_TRUE(Start().ok());
    RegisterKserve(router_, {.repository = repository_.get()}, models_,
                   bodies_);
  }

  HttpResponse Send(const std::string& method, const std::string& path,
                    const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.received_us = Clock::Real().NowUs();
    return router_.Handle(request);
  }
  Json IndexJson(const std::string& body = "") {
    return Json::parse(Send("POST", "/v2/repository/index", body).body);
  }
  // The message of an answer with that status.
  static std::string Error(const HttpResponse& response, int status) {
    EXPECT_EQ(response.status, status) << response.body;
    return Json::parse(response.body)["error"];
  }

  BodyReader bodies_;
  Router router_{KserveRouterErrors()};
};

TEST_F(KserveRepositoryTest, ModelsAreListedLoadedAndUnloaded) {
  Write("m/1/value", "1");
  Write("m/2/value", "2");
  Write("m/config.pbtxt", "version_policy { all { } }");
  Serve();
  EXPECT_EQ(IndexJson(), Json::parse(R"([{"name":"m"}])"));
  HttpResponse loaded = Send("POST", "/v2/repository/models/m/load");
  EXPECT_EQ(loaded.status, 200);
  EXPECT_EQ(loaded.body, "");
  EXPECT_EQ(IndexJson(R"({"ready":true})"), Json::parse(R"([
      {"name":"m","version":"1","state":"READY"},
      {"name":"m","version":"2","state":"READY"}])"));
  EXPECT_EQ(Json::parse(Send("GET", "/v2/models/m").body)["versions"],
            Json({"1", "2"}));
  EXPECT_EQ(Send("GET", "/v2/models/m/versions/2/ready").status, 200);
  EXPECT_EQ(Send("GET", "/v2/models/m/versions/3/ready").status, 400);
  EXPECT_EQ(Send("GET", "/v2/models/m/versions/3/config").status, 404);
  const auto stats = [&](const std::string& path) {
    return Json::parse(Send("GET", path).body)["model_stats"].size();
  };
  EXPECT_EQ(stats("/v2/models/m/stats"), 2u);
  EXPECT_EQ(stats("/v2/models/m/versions/2/stats"), 1u);
  EXPECT_EQ(stats("/v2/models/stats"), 2u);
  const HttpResponse answer = Send(
      "POST", "/v2/models/m/versions/2/infer",
      R"({"inputs":[{"name":"X","datatype":"INT32","shape":[1,1],"data":[3]}]})");
  EXPECT_EQ(Json::parse(answer.body)["model_version"], "2");
  EXPECT_EQ(Json::parse(answer.body)["outputs"][0]["data"], Json({5}));

  EXPECT_EQ(Send("POST", "/v2/repository/models/m/unload",
                 R"({"parameters":{"unload_dependents":true}})")
                .status,
            200);
  EXPECT_EQ(IndexJson(R"({"ready":true})"), Json::array());
  EXPECT_EQ(IndexJson()[0], Json::parse(R"({"name":"m","version":"1",
      "state":"UNAVAILABLE","reason":"unloaded"})"));
  EXPECT_THAT(Error(Send("GET", "/v2/models/m/ready"), 400),
              HasSubstr("Request for unknown model"));
}

TEST_F(KserveRepositoryTest, LoadsBringTheirOwn) {
  Serve();
  // "42", without and with padding.
  for (const char* base64 : {"NDI", "NDI="}) {
    const HttpResponse loaded = Send("POST", "/v2/repository/models/m/load",
                                     fmt::format(R"({{"parameters":{{
                 "config":"{{\"max_batch_size\":3}}","file:9/value":"{}"}}}})",
                                                 base64));
    EXPECT_EQ(loaded.status, 200) << loaded.body;
    EXPECT_EQ(*Ask("m", "9"), 42);
    EXPECT_EQ(
        Json::parse(Send("GET", "/v2/models/m/config").body)["max_batch_size"],
        3);
  }
}

TEST_F(KserveRepositoryTest, BadRequestsAreRefused) {
  Write("m/1/value", "bad");
  Serve();
  const auto load = [&](const std::string& body) {
    return Error(Send("POST", "/v2/repository/models/m/load", body), 400);
  };
  EXPECT_THAT(load("{"), HasSubstr("parse"));
  EXPECT_THAT(load("[]"), HasSubstr("object"));
  EXPECT_THAT(load(R"({"parameters":[]})"), HasSubstr("'parameters'"));
  EXPECT_THAT(load(R"({"parameters":{"config":{}}})"), HasSubstr("'config'"));
  EXPECT_THAT(load(R"({"parameters":{"other":"x"}})"), HasSubstr("'other'"));
  for (const char* base64 : {"N", "N*I=", "ND\\u0000="}) {
    EXPECT_THAT(
        load(fmt::format(R"({{"parameters":{{"file:1/x":"{}"}}}})", base64)),
        HasSubstr("no base64"));
  }
  EXPECT_THAT(load(""), HasSubstr("failed to load 'm'"));
  EXPECT_THAT(Error(Send("POST", "/v2/repository/models/%2E%2E/load"), 400),
              HasSubstr("no name of a model"));
  EXPECT_THAT(Error(Send("POST", "/v2/repository/models/a%2Fb/load"), 400),
              HasSubstr("no name of a model"));
  EXPECT_THAT(Error(Send("POST", "/v2/repository/models/nobody/unload"), 400),
              HasSubstr("failed to unload 'nobody'"));
  EXPECT_THAT(Error(Send("POST", "/v2/repository/models/m/unload",
                         R"({"parameters":{"unload_dependents":1}})"),
                    400),
              HasSubstr("unload_dependents"));
  EXPECT_THAT(
      Error(Send("POST", "/v2/repository/index", R"({"ready":1})"), 400),
      HasSubstr("'ready'"));
  Error(Send("POST", "/v2/repository/r/models/m/load"), 501);
}

TEST_F(KserveRepositoryTest, OnlyAnExplicitServerLoads) {
  config_.control = ModelControl::kNone;
  Write("m/1/value", "1");
  Serve();
  for (const char* action : {"load", "unload"}) {
    EXPECT_THAT(
        Error(Send("POST", std::string("/v2/repository/models/m/") + action),
              503),
        HasSubstr("explicit model load / unload is not allowed"));
  }
  EXPECT_EQ(*Ask("m"), 1);
}

}  // namespace
}  // namespace quaver
