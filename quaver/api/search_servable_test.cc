// Tests of the search as a servable, over a small real segment.
#include "quaver/api/search_servable.h"

#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/api/product.h"
#include "quaver/ingest/build_index.h"
#include "quaver/ingest/hash_encoder.h"
#include "quaver/net/router.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

Tensor Query(const std::string& query) {
  return {"QUERY", Datatype::kBytes, {1}, {query}, {}};
}
Tensor Limit(int32_t limit) {
  return MakeTensor("LIMIT", Datatype::kInt32, {1},
                    std::vector<int32_t>{limit});
}

class SearchServableTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string folder = NewFolder("search_servable");
    {
      auto store = CatalogueStore::Open(folder + "/catalogue.db").value();
      ASSERT_TRUE(
          store
              ->Upsert({Track("1", "Hey Jude", 0.9), Track("2", "Hey Joe", 0.8),
                        Track("3", "Hey Ya", 0.7),
                        Track("4", "Caf\u00e9 \U0001F3B5", 0.6)})
              .ok());
      const auto report = BuildIndex({.folder = folder,
                                      .model = HashModel(),
                                      .num_threads = 1,
                                      .progress = {}},
                                     *store, *encoder_);
      ASSERT_TRUE(report.ok()) << report.status();
    }
    LiveIndexConfig live;
    live.folder = folder;
    live.model = HashModel();
    index_ = LiveIndex::Open(live, encoder_, metrics_).value();
    ServableRegistry servables;
    ASSERT_TRUE(servables.Add("encoder", encoder_).ok());
    bar_ = SearchBar::Create({}, servables, [this] {
             return index_->snapshot();
           }).value();
    ASSERT_TRUE(RegisterRoutes(router_, {.search_statistics = &statistics_},
                               *bar_, *index_, metrics_)
                    .ok());
    search_ = std::make_unique<SearchServable>(*bar_, metrics_);
  }

  // An answer's text without what differs from one time to the next.
  static std::string Untimed(const std::string& text) {
    EXPECT_THAT(text, testing::EndsWith("}\n"));
    Json json = Json::parse(text);
    EXPECT_TRUE(json["timing_us"].is_object());
    json["timing_us"] = nullptr;
    return json.dump();
  }
  std::string Ask(const Tensors& request) {
    const Tensors answer = search_->Infer(request).value();
    EXPECT_EQ(answer.size(), 1u);
    EXPECT_EQ(answer[0].name, "RESULT");
    EXPECT_EQ(answer[0].shape, std::vector<int64_t>{1});
    return Untimed(answer[0].strings.at(0));
  }
  std::string AskRoute(const HttpFields& query) {
    HttpRequest request;
    request.method = "GET";
    request.path = "/v1/search";
    request.query = query;
    request.received_us = Clock::Real().NowUs();
    const HttpResponse response = router_.Handle(request);
    EXPECT_EQ(response.status, 200) << response.body;
    return Untimed(response.body);
  }

  const std::shared_ptr<HashEncoder> encoder_ = std::make_shared<HashEncoder>();
  Metrics metrics_;
  ModelStatistics statistics_{"search", "1", metrics_};
  std::unique_ptr<LiveIndex> index_;
  std::unique_ptr<SearchBar> bar_;
  Router router_;
  std::unique_ptr<SearchServable> search_;
};

TEST_F(SearchServableTest, AnswersAsTheRouteDoes) {
  EXPECT_EQ(search_->inputs()[0].name, "QUERY");
  EXPECT_TRUE(search_->inputs()[1].optional);
  EXPECT_EQ(search_->outputs()[0].name, "RESULT");
  for (const std::string query : {"hey jude", "hey", "", "cafe", "\xff\xfe"}) {
    EXPECT_EQ(Ask({Query(query)}), AskRoute({{"q", query}}));
    EXPECT_EQ(Ask({Limit(2), Query(query)}),
              AskRoute({{"q", query}, {"limit", "2"}}));
  }
  const Json json = Json::parse(Ask({Query("hey"), Limit(2)}));
  EXPECT_EQ(json["sections"][0]["hits"].size(), 2u);
}

TEST_F(SearchServableTest, CountsWithTheProductsSearches) {
  const auto count = [&] {
    const std::string text = metrics_.Expose();
    const std::string name =
        "quaver_search_stage_seconds_count{stage=\"retrieve\"} ";
    const size_t at = text.find(name);
    return at == std::string::npos ? 0
                                   : std::stoi(text.substr(at + name.size()));
  };
  const int before = count();
  Ask({Query("hey")});
  AskRoute({{"q", "hey"}});
  EXPECT_EQ(count(), before + 2);
}

TEST_F(SearchServableTest, TheRouteCountsAsTheModel) {
  const auto ask = [&](const HttpFields& query, bool gone) {
    HttpRequest request;
    request.method = "GET";
    request.path = "/v1/search";
    request.query = query;
    request.received_us = Clock::Real().NowUs() - 1'000;
    request.gone = std::make_shared<std::atomic<bool>>(gone);
    return router_.Handle(request).status;
  };
  EXPECT_EQ(ask({{"q", "hey"}, {"facets", "true"}}, false), 200);
  EXPECT_EQ(ask({{"q", "hey"}, {"limit", "0"}}, false), 400);
  EXPECT_EQ(ask({{"q", "hey"}}, true), 499);
  const Json stats = statistics_.ToJson();
  EXPECT_EQ(stats["inference_count"], 1);
  EXPECT_GT(stats["last_inference"], 0);
  const Json& sums = stats["inference_stats"];
  EXPECT_EQ(sums["success"]["count"], 1);
  EXPECT_EQ(sums["fail"]["count"], 2);
  EXPECT_GE(sums["queue"]["ns"], 1'000'000);
  EXPECT_GT(sums["compute_infer"]["ns"], 0);
  EXPECT_GE(sums["success"]["ns"].get<int64_t>(),
            sums["queue"]["ns"].get<int64_t>() +
                sums["compute_infer"]["ns"].get<int64_t>());
  const std::string text = metrics_.Expose();
  for (const char* reason : {"CANCELED", "OTHER"}) {
    EXPECT_THAT(text, HasSubstr(fmt::format(
                          "nv_inference_request_failure{{model=\"search\","
                          "reason=\"{}\",version=\"1\"}} 1",
                          reason)));
  }
}

TEST_F(SearchServableTest, RefusesWhatTheRouteRefuses) {
  const auto message = [&](const Tensors& request) {
    const absl::Status status = search_->Infer(request).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return Message(status);
  };
  EXPECT_THAT(message({}), HasSubstr("no input 'QUERY'"));
  EXPECT_THAT(message({Query("a"), Limit(0)}), HasSubstr("limit is 0"));
  EXPECT_THAT(message({Query("a"), Limit(101)}), HasSubstr("limit is 101"));
}

TEST_F(SearchServableTest, StopsWhenNobodyWaits) {
  const int texts = encoder_->num_texts();
  const std::atomic<bool> cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(
      search_->Infer({Query("hey")}, {.cancelled = &cancelled}, nullptr)
          .status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      search_->Infer({Query("hey")}, {.deadline_us = 0}, nullptr).status()));
  HttpRequest request;
  request.method = "GET";
  request.path = "/v1/search";
  request.query = {{"q", "hey"}};
  request.received_us =
      Clock::Real().NowUs() - ApiConfig().search_timeout_us - 1;
  EXPECT_EQ(router_.Handle(request).status, 503);
  request.received_us = Clock::Real().NowUs();
  request.gone = std::make_shared<std::atomic<bool>>(true);
  EXPECT_EQ(router_.Handle(request).status, 499);
  EXPECT_EQ(encoder_->num_texts(), texts);
}

}  // namespace
}  // namespace quaver
