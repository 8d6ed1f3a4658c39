// Tests of the product's routes: a real index behind a real server, and every
// answer held against openapi.json.
#include "quaver/api/product.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/api/pages.h"
#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/catalogue/store.h"
#include "quaver/ingest/build_index.h"
#include "quaver/net/http_client.h"
#include "quaver/net/http_server.h"
#include "quaver/net/url.h"
#include "quaver/serve/operations.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::json;

constexpr int64_t kDimension = 64;
constexpr const char* kKey = "a key of the test";

// Texts that share words are near. The model itself is not of this room.
class WordBagEncoder : public Servable {
 public:
  std::vector<TensorSpec> inputs() const override {
    return {{"TEXT", Datatype::kBytes, {-1}}};
  }
  std::vector<TensorSpec> outputs() const override {
    return {{"EMBEDDING", Datatype::kFp32, {-1, kDimension}}};
  }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request, const CallOptions&,
                                CallTimes*) override {
    std::vector<float> values;
    for (const std::string& text : request.at(0).strings) Embed(text, values);
    Tensor output;
    output.name = "EMBEDDING";
    output.datatype = Datatype::kFp32;
    output.shape = {static_cast<int64_t>(values.size()) / kDimension,
                    kDimension};
    output.raw.resize(values.size() * sizeof(float));
    std::memcpy(output.raw.data(), values.data(), output.raw.size());
    return Tensors{output};
  }

 private:
  static void Embed(const std::string& text, std::vector<float>& values) {
    std::vector<float> sum(kDimension, 1e-3f);
    const std::string normalized = Normalize(text);
    for (const std::string_view word : SplitWords(normalized)) {
      Random random(Hash64(word));
      for (float& value : sum) value += static_cast<float>(random.Normal());
    }
    float square = 0;
    for (const float value : sum) square += value * value;
    for (const float value : sum) values.push_back(value / std::sqrt(square));
  }
};

// What of `value` the schema forbids; knows the words that openapi.json uses.
class SchemaCheck {
 public:
  SchemaCheck() {
    for (const EmbeddedFile& file : EmbeddedFiles()) {
      if (file.name == "openapi.json") spec_ = Json::parse(file.content);
    }
  }

  std::vector<std::string> Errors(const std::string& schema,
                                  const Json& value) const {
    std::vector<std::string> errors;
    Check({{"$ref", "#/components/schemas/" + schema}}, value, schema, errors);
    return errors;
  }

 private:
  static bool HasType(const Json& type, const Json& value) {
    if (type.is_array()) {
      return std::any_of(type.begin(), type.end(),
                         [&](const Json& one) { return HasType(one, value); });
    }
    return (type == "object" && value.is_object()) ||
           (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) ||
           (type == "boolean" && value.is_boolean()) ||
           (type == "number" && value.is_number()) ||
           (type == "integer" && value.is_number_integer()) ||
           (type == "null" && value.is_null());
  }

  void CheckObject(const Json& schema, const Json& value,
                   const std::string& path,
                   std::vector<std::string>& errors) const {
    for (const auto& name : schema.value("required", Json::array())) {
      if (!value.contains(name))
        errors.push_back(path + " lacks " + name.dump());
    }
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, member] : value.items()) {
      if (properties.contains(name)) {
        Check(properties[name], member, path + "." + name, errors);
      } else if (const Json other =
                     schema.value("additionalProperties", Json());
                 other.is_object()) {
        Check(other, member, path + "." + name, errors);
      } else if (other == false) {
        errors.push_back(path + " has " + name);
      }
    }
  }

  void Check(const Json& schema, const Json& value, const std::string& path,
             std::vector<std::string>& errors) const {
    if (schema.contains("$ref")) {
      const std::string ref = schema["$ref"].get<std::string>().substr(1);
      return Check(spec_.at(Json::json_pointer(ref)), value, path, errors);
    }
    if (schema.contains("anyOf")) {
      // The only use: something or null.
      if (!value.is_null()) Check(schema["anyOf"][0], value, path, errors);
      return;
    }
    if (schema.contains("type") && !HasType(schema["type"], value)) {
      errors.push_back(path + " is " + value.type_name());
      return;
    }
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) ==
            schema["enum"].end()) {
      errors.push_back(path + " is " + value.dump());
    }
    if (value.is_number() && (value < schema.value("minimum", value) ||
                              value > schema.value("maximum", value))) {
      errors.push_back(path + " is " + value.dump());
    }
    if (value.is_object()) CheckObject(schema, value, path, errors);
    if (value.is_array()) {
      for (const Json& item : value) {
        Check(schema.at("items"), item, path + "[]", errors);
      }
    }
  }

  Json spec_;
};

Entity Track(const std::string& title, const std::string& artist,
             const std::string& genre, int year, double popularity) {
  Entity entity;
  entity.title = title;
  entity.artist = artist;
  entity.genre = genre;
  entity.year = year;
  entity.popularity = popularity;
  entity.id = DerivedId(entity);
  return entity;
}

std::vector<Entity> Catalogue() {
  Entity show;
  show.type = EntityType::kShow;
  show.title = "Morning Brief";
  show.genre = "News";
  show.description = "The news of the day in ten minutes";
  show.id = "show:brief";
  return {Track("Hey Jude", "The Beatles", "Rock", 1968, 95),
          Track("Let It Be", "The Beatles", "Rock", 1970, 90),
          Track("\U0001F3B5 Caf\u00e9", "Na\u00efve", "Jazz", 2003, 20),
          Track("Yesterday Once More", "Carpenters", "Pop", 1973, 60), show};
}

class ProductTest : public testing::Test {
 protected:
  void SetUp() override { Start({.api_keys = {kKey}, .cors_origin = ""}); }

  void Start(const ApiConfig& config) {
    server_.reset();
    bar_.reset();
    index_.reset();
    const std::string folder = testing::TempDir() + "/quaver_api_product";
    std::filesystem::remove_all(folder);
    ASSERT_TRUE(MakeFolders(folder).ok());
    const ModelIdentity model = {"word-bag", "0123456789abcdef"};
    {
      auto store = CatalogueStore::Open(folder + "/catalogue.db").value();
      ASSERT_TRUE(store->Upsert(Catalogue()).ok());
      const auto report = BuildIndex(
          {.folder = folder, .model = model, .num_threads = 1, .progress = {}},
          *store, *encoder_);
      ASSERT_TRUE(report.ok()) << report.status();
    }
    LiveIndexConfig live;
    live.folder = folder;
    live.model = model;
    index_ = LiveIndex::Open(live, encoder_, metrics_).value();
    ServableRegistry servables;
    ASSERT_TRUE(servables.Add("encoder", encoder_).ok());
    bar_ = SearchBar::Create({}, servables, [this] {
             return index_->snapshot();
           }).value();
    router_ = std::make_unique<Router>();
    RegisterOperations(*router_, {}, metrics_);
    ASSERT_TRUE(
        RegisterRoutes(*router_, config, *bar_, *index_, metrics_).ok());
    HttpServerConfig server;
    server.handler_threads = 2;
    server_ = HttpServer::Start(server, [this](HttpRequest& request) {
                return router_->Handle(request);
              }).value();
    client_ = HttpClient::Connect("127.0.0.1", server_->port()).value();
  }

  HttpResponse Send(const std::string& method, const std::string& target,
                    std::string_view body = "",
                    const HttpFields& headers = {{"X-API-Key", kKey}}) {
    return client_->Send(method, target, headers, body).value();
  }

  // A 200 whose body is of that schema.
  Json Get(const std::string& target, const std::string& schema) {
    const HttpResponse response = Send("GET", target);
    EXPECT_EQ(response.status, 200) << target << response.body;
    EXPECT_EQ(response.content_type, "application/json");
    Json json = Json::parse(response.body);
    EXPECT_THAT(check_.Errors(schema, json), IsEmpty()) << json.dump(1);
    return json;
  }

  // The message of an error of that status, and its field.
  std::pair<std::string, std::string> Error(const HttpResponse& response,
                                            int status) {
    EXPECT_EQ(response.status, status) << response.body;
    const Json json = Json::parse(response.body);
    EXPECT_THAT(check_.Errors("Error", json), IsEmpty()) << json.dump(1);
    EXPECT_EQ(json["status"], status);
    return {json["error"], json.value("field", "")};
  }

  const SchemaCheck check_;
  const std::shared_ptr<Servable> encoder_ = std::make_shared<WordBagEncoder>();
  Metrics metrics_;
  std::unique_ptr<LiveIndex> index_;
  std::unique_ptr<SearchBar> bar_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(ProductTest, FindsByWordsAndSaysWhere) {
  const Json answer = Get("/v1/search?q=hey+ju", "SearchAnswer");
  EXPECT_EQ(answer["query"], "hey ju");
  EXPECT_EQ(answer["best"]["title"], "Hey Jude");
  EXPECT_EQ(answer["best"]["year"], 1968);
  EXPECT_FALSE(answer["best"]["highlights"]["title"].empty());
  EXPECT_FALSE(answer.contains("facets"));
  EXPECT_FALSE(answer["best"].contains("explain"));
  EXPECT_TRUE(answer["timing_us"].contains("retrieve"));
}

TEST_F(ProductTest, HighlightsCountUtf16Units) {
  const Json answer = Get("/v1/search?q=cafe", "SearchAnswer");
  EXPECT_EQ(answer["best"]["title"], "\U0001F3B5 Caf\u00e9");
  EXPECT_EQ(answer["best"]["highlights"]["title"].dump(), "[[3,7]]");
}

TEST_F(ProductTest, EmptyQueryGivesTheMostPopular) {
  for (const char* target : {"/v1/search", "/v1/search?q=", "/v1/search?q=+"}) {
    const Json answer = Get(target, "SearchAnswer");
    ASSERT_FALSE(answer["sections"].empty()) << target;
    const Json& tracks = *std::find_if(
        answer["sections"].begin(), answer["sections"].end(),
        [](const Json& section) { return section["type"] == "track"; });
    EXPECT_EQ(tracks["hits"][0]["title"], "Hey Jude");
  }
}

TEST_F(ProductTest, TypesFiltersFacetsAndExplainAreHeard) {
  const Json answer =
      Get("/v1/search?q=beatles&types=track&limit=1&offset=1&facets=true&"
          "explain=1&filter=genre:Rock;year:1960..1979",
          "SearchAnswer");
  ASSERT_EQ(answer["sections"].size(), 1u) << answer.dump(1);
  EXPECT_EQ(answer["sections"][0]["type"], "track");
  EXPECT_EQ(answer["sections"][0]["num_matches"], 2);
  ASSERT_EQ(answer["sections"][0]["hits"].size(), 1u);
  EXPECT_FALSE(answer["sections"][0]["hits"][0]["explain"]["legs"].empty());
  EXPECT_THAT(answer["facets"]["genre"],
              Contains(Json({{"value", "Rock"}, {"count", 2}})));
}

TEST_F(ProductTest, SpellingIsCorrectedUnlessItIsOff) {
  const Json answer = Get("/v1/search?q=hey+jude&spell=auto", "SearchAnswer");
  EXPECT_EQ(answer["correction"]["text"], "hey jude");
  EXPECT_EQ(answer["correction"]["outcome"], "none");
  EXPECT_TRUE(
      Get("/v1/search?q=hey+jude&spell=off", "SearchAnswer")["correction"]
          .is_null());
}

TEST_F(ProductTest, TheGateIsLeftOutWhereSpellingIsAlwaysAsked) {
  const auto gated = [this](const std::string& spell) {
    const Json search = Get("/v1/search?q=hey+jude" + spell, "SearchAnswer");
    const Json correct = Get("/v1/correct?q=hey+jude" + spell, "CorrectAnswer");
    EXPECT_EQ(search["correction"]["gated"], correct["gated"]);
    return correct["gated"].get<bool>();
  };
  EXPECT_TRUE(gated(""));
  EXPECT_TRUE(gated("&spell=auto"));
  EXPECT_FALSE(gated("&spell=always"));
}

TEST_F(ProductTest, CorrectsWithoutASearch) {
  for (const char* query : {"hey+jude", "", "+hey%20jude+", "%FF%FE", "%00"}) {
    const Json answer =
        Get(std::string("/v1/correct?q=") + query, "CorrectAnswer");
    EXPECT_EQ(answer["text"], answer["query"]);
    EXPECT_TRUE(answer["did_you_mean"].is_null());
  }
}

TEST_F(ProductTest, CorrectionsAreCounted) {
  Get("/v1/search?q=hey+jude", "SearchAnswer");
  Get("/v1/search?q=hey+jude&spell=off", "SearchAnswer");
  Get("/v1/correct?q=hey+jude", "CorrectAnswer");
  const std::string metrics = Send("GET", "/metrics").body;
  EXPECT_THAT(
      metrics,
      HasSubstr("quaver_correction_outcomes_total{outcome=\"none\"} 2"));
  EXPECT_THAT(metrics, HasSubstr("{outcome=\"showing_results_for\"} 0"));
  EXPECT_THAT(metrics, HasSubstr("quaver_correction_passes_count 2"));
}

TEST_F(ProductTest, WrongParametersAre400AndNamed) {
  using testing::Pair;
  const std::pair<const char*, const char*> cases[] = {
      {"/v1/search?limit=0", "limit"},
      {"/v1/search?limit=1e9", "limit"},
      {"/v1/search?limit=99999999999999", "limit"},
      {"/v1/search?offset=-1", "offset"},
      {"/v1/search?types=song", "types"},
      {"/v1/search?filter=colour:red", "filter"},
      {"/v1/search?facets=maybe", "facets"},
      {"/v1/search?explain=", "explain"},
      {"/v1/search?spell=on", "spell"},
      {"/v1/correct?q=a&spell=off", "spell"},
      {"/v1/search?q=a&q=b", "q"},
      {"/v1/search?query=a", "query"},
      {"/v1/suggest?q=a&limit=3", "limit"},
      {"/v1/stats?x", "x"}};
  for (const auto& [target, field] : cases) {
    EXPECT_THAT(Error(Send("GET", target), 400), Pair(HasSubstr(field), field))
        << target;
  }
}

TEST_F(ProductTest, AnyBytesAreAQuery) {
  for (const char* query : {"%00", "%FF%FE", "%F0%9F%8E%B5", "'%22%5C",
                            "%E2%80%AE", "%0D%0AX:%20y"}) {
    Get(std::string("/v1/search?q=") + query, "SearchAnswer");
    Get(std::string("/v1/correct?q=") + query, "CorrectAnswer");
    Get(std::string("/v1/suggest?q=") + query, "SuggestAnswer");
  }
  Get("/v1/search?q=" + std::string(15'000, 'a'), "SearchAnswer");
}

TEST_F(ProductTest, SuggestsCompletions) {
  const Json answer = Get("/v1/suggest?q=hey", "SuggestAnswer");
  ASSERT_FALSE(answer["suggestions"].empty());
  EXPECT_EQ(answer["suggestions"][0]["title"], "Hey Jude");
  EXPECT_EQ(answer["suggestions"][0]["kind"], "completion");
  EXPECT_THAT(Get("/v1/suggest", "SuggestAnswer")["suggestions"], IsEmpty());
}

TEST_F(ProductTest, WrittenDocumentsAreFoundReadAndDeleted) {
  const HttpResponse written = Send(
      "POST", "/v1/documents",
      "{\"id\": \"track:a/b c\", \"type\": \"track\", \"title\": \"Zanzibar "
      "Nights\", \"artist\": \"Okapi\"}\nbroken\n\n{\"type\": \"song\"}\n");
  ASSERT_EQ(written.status, 200) << written.body;
  const Json answer = Json::parse(written.body);
  EXPECT_THAT(check_.Errors("WriteAnswer", answer), IsEmpty());
  EXPECT_EQ(answer["accepted"], 1);
  ASSERT_EQ(answer["rejected"].size(), 2u);
  EXPECT_EQ(answer["rejected"][0]["line"], 2);
  EXPECT_EQ(answer["rejected"][1]["line"], 4);

  ASSERT_TRUE(index_->WaitFor(answer["sequence"]).ok());
  EXPECT_EQ(Get("/v1/search?q=zanzibar", "SearchAnswer")["best"]["id"],
            "track:a/b c");
  const std::string path = "/v1/documents/" + PercentEncode("track:a/b c");
  EXPECT_EQ(Get(path, "Document")["title"], "Zanzibar Nights");

  const HttpResponse deleted = Send("DELETE", path);
  EXPECT_EQ(deleted.status, 204);
  EXPECT_EQ(deleted.body, "");
  EXPECT_THAT(Error(Send("DELETE", path), 404).first, HasSubstr("a/b c"));
  EXPECT_THAT(Error(Send("GET", path), 404).first, HasSubstr("a/b c"));
  const uint64_t last = Get("/v1/stats", "Stats")["last_sequence"];
  ASSERT_TRUE(index_->WaitFor(last).ok());
  EXPECT_THAT(Get("/v1/search?q=zanzibar", "SearchAnswer").dump(),
              Not(HasSubstr("Zanzibar")));
}

TEST_F(ProductTest, ABodyWithoutAGoodLineIs400) {
  for (const char* body : {"", "\n\n", "nonsense\n[]\n"}) {
    const HttpResponse response = Send("POST", "/v1/documents", body);
    EXPECT_EQ(response.status, 400);
    const Json json = Json::parse(response.body);
    EXPECT_THAT(check_.Errors("WriteError", json), IsEmpty());
  }
  EXPECT_THAT(Send("POST", "/v1/documents", "\nx").body, HasSubstr("line 2"));
}

TEST_F(ProductTest, WritingNeedsAKey) {
  const std::string line = "{\"title\": \"Sneaked In\"}";
  const uint64_t before = Get("/v1/stats", "Stats")["last_sequence"];
  for (const HttpFields& headers :
       {HttpFields{}, HttpFields{{"X-API-Key", "wrong"}},
        HttpFields{{"Authorization", "Bearer wrong"}}}) {
    Error(Send("POST", "/v1/documents", line, headers), 403);
    Error(Send("DELETE", "/v1/documents/show:brief", "", headers), 403);
  }
  EXPECT_EQ(Get("/v1/stats", "Stats")["last_sequence"], before);
  const HttpFields bearer = {{"Authorization", std::string("Bearer ") + kKey}};
  EXPECT_EQ(Send("POST", "/v1/documents", line, bearer).status, 200);
}

TEST_F(ProductTest, WithoutKeysNobodyWrites) {
  Start({});
  EXPECT_THAT(
      Error(Send("POST", "/v1/documents", "{\"title\": \"x\"}"), 403).first,
      HasSubstr("--api-key-file"));
  Error(Send("DELETE", "/v1/documents/show:brief"), 403);
  EXPECT_EQ(Get("/v1/documents/show:brief", "Document")["title"],
            "Morning Brief");
}

TEST_F(ProductTest, StatsCountTypes) {
  const Json stats = Get("/v1/stats", "Stats");
  EXPECT_EQ(stats["documents"]["track"], 4);
  EXPECT_EQ(stats["documents"]["show"], 1);
  EXPECT_EQ(stats["documents"]["artist"], 3);  // derived
  EXPECT_EQ(stats["vectors"], 5);
}

TEST_F(ProductTest, StagesAreMeasured) {
  Get("/v1/search?q=hey", "SearchAnswer");
  const std::string metrics = Send("GET", "/metrics").body;
  for (const char* stage : {"normalise", "meaning", "retrieve", "rank"}) {
    EXPECT_THAT(metrics,
                HasSubstr(fmt::format("quaver_search_stage_seconds_count{{"
                                      "stage=\"{}\"}} 1",
                                      stage)));
  }
  EXPECT_THAT(metrics, HasSubstr("route=\"/v1/search\""));
}

TEST_F(ProductTest, OtherOriginsAskOnlyWhenTheyMay) {
  Start({.api_keys = {kKey}, .cors_origin = "https://a.org"});
  const HttpFields origin = {{"Origin", "https://a.org"}};
  const HttpResponse answer = Send("GET", "/v1/search", "", origin);
  EXPECT_EQ(*FindField(answer.headers, "access-control-allow-origin"),
            "https://a.org");
  const HttpResponse preflight = Send(
      "OPTIONS", "/v1/documents", "",
      {{"Origin", "https://a.org"}, {"Access-Control-Request-Method", "POST"}});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_THAT(*FindField(preflight.headers, "access-control-allow-methods"),
              HasSubstr("POST"));
  Router router;
  EXPECT_FALSE(RegisterRoutes(router, {.api_keys = {}, .cors_origin = "a.org"},
                              *bar_, *index_, metrics_)
                   .ok());
}

TEST_F(ProductTest, ReadsAndWritesAtOnceStayRight) {
  std::atomic<int> num_wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto client =
          HttpClient::Connect("127.0.0.1", server_->port()).value();
      for (int i = 0; i < 25; ++i) {
        const auto response =
            t % 2 == 0
                ? client->Get("/v1/search?q=hey+jude")
                : client->Send(
                      "POST", "/v1/documents", {{"X-API-Key", kKey}},
                      fmt::format("{{\"title\": \"Song {} {}\"}}", t, i));
        const bool is_right =
            response.ok() && response->status == 200 &&
            (t % 2 != 0 ||
             Json::parse(response->body)["best"]["title"] == "Hey Jude");
        if (!is_right) ++num_wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_wrong, 0);
  const uint64_t last = Get("/v1/stats", "Stats")["last_sequence"];
  ASSERT_TRUE(index_->WaitFor(last).ok());
  EXPECT_EQ(Get("/v1/stats", "Stats")["documents"]["track"], 54);
}

TEST_F(ProductTest, ExamplesOfTheDescriptionFitIt) {
  const Json spec = Json::parse(Send("GET", "/v1/openapi.json").body);
  int num_examples = 0;
  for (const auto& [path, item] : spec["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      if (!operation.is_object() || !operation.contains("responses")) continue;
      for (const auto& [status, response] : operation["responses"].items()) {
        const Json content = response.value(
            Json::json_pointer("/content/application~1json"), Json());
        if (!content.is_object() || !content.contains("example")) continue;
        const std::string ref = content["schema"]["$ref"];
        EXPECT_THAT(
            check_.Errors(ref.substr(ref.rfind('/') + 1), content["example"]),
            IsEmpty())
            << path << method << status;
        ++num_examples;
      }
    }
  }
  EXPECT_GE(num_examples, 8);
}

}  // namespace
}  // namespace quaver
