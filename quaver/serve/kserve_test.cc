// Tests of the routes over a small model, and of what is counted.
#include "quaver/serve/kserve.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/base/clock.h"
#include "quaver/serve/content_coding.h"
#include "quaver/serve/infer_call.h"
#include "quaver/serve/kserve_errors.h"
#include "quaver/serve/openai_embeddings.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

// The length of each text, twice.
class LengthModel : public Servable {
 public:
  std::vector<TensorSpec> inputs() const override {
    return {{"TEXT", Datatype::kBytes, {-1}}};
  }
  std::vector<TensorSpec> outputs() const override {
    return {{"LENGTHS", Datatype::kFp32, {-1, 2}}};
  }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request, const CallOptions&,
                                CallTimes*) override {
    if (clock != nullptr) clock->AdvanceUs(300);
    RETURN_IF_ERROR(status);
    Tensor output = {.name = "LENGTHS",
                     .datatype = Datatype::kFp32,
                     .shape = {request[0].shape[0], 2},
                     .strings = {},
                     .raw = {}};
    for (const std::string& text : request[0].strings) {
      const auto length = static_cast<float>(text.size());
      const auto* bytes = reinterpret_cast<const std::byte*>(&length);
      for (int i = 0; i < 2; ++i) {
        output.raw.insert(output.raw.end(), bytes, bytes + sizeof(length));
      }
    }
    Tensors outputs;
    outputs.push_back(std::move(output));
    return outputs;
  }

  absl::Status status;  // what it fails with
  FakeClock* clock = nullptr;
};

class KserveTest : public testing::Test {
 protected:
  KserveTest() {
    EXPECT_TRUE(models_.Add("lengths", model_, 4).ok());
    RegisterKserve(router_,
                   {.server_name = "triton",
                    .server_version = "1.2",
                    .ready = [this] { return ready_; }},
                   models_, bodies_);
    RegisterEmbeddings(router_, models_, bodies_);
  }

  HttpResponse Send(const std::string& method, const std::string& path,
                    const std::string& body = "", HttpFields headers = {}) {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.headers = std::move(headers);
    request.received_us = Clock::Real().NowUs();
    return router_.Handle(request);
  }

  Json Get(const std::string& path) {
    const HttpResponse response = Send("GET", path);
    EXPECT_EQ(response.status, 200) << path << " " << response.body;
    return Json::parse(response.body);
  }

  // The message, and nothing else, of an answer with that status.
  static std::string Error(const HttpResponse& response, int status) {
    EXPECT_EQ(response.status, status) << response.body;
    const Json json = Json::parse(response.body);
    EXPECT_EQ(json.size(), 1u);
    return json["error"];
  }

  HttpResponse Infer(const std::string& data, HttpFields headers = {}) {
    return Send("POST", "/v2/models/lengths/infer",
                R"({"inputs":[{"name":"TEXT","datatype":"BYTES","shape":[)" +
                    std::to_string(Json::parse(data).size()) +
                    R"(,1],"data":)" + data + "}]}",
                std::move(headers));
  }

  Metrics metrics_;
  std::shared_ptr<LengthModel> model_ = std::make_shared<LengthModel>();
  absl::Status ready_;
  KserveModels models_{metrics_};
  BodyReader bodies_;
  Router router_{KserveRouterErrors()};
};

TEST_F(KserveTest, TheServerDescribesItself) {
  const Json server = Get("/v2");
  EXPECT_EQ(server["name"], "triton");
  EXPECT_EQ(server["version"], "1.2");
  EXPECT_THAT(server["extensions"].dump(), HasSubstr("\"statistics\""));
  EXPECT_EQ(Get("/v2/health/live"), Json({{"live", true}}));
  EXPECT_EQ(Get("/v2/health/ready"), Json({{"ready", true}}));
  ready_ = absl::UnavailableError("replaying");
  EXPECT_EQ(Send("GET", "/v2/health/ready").status, 400);
  EXPECT_EQ(Send("GET", "/v2/health/live").status, 200);
}

TEST_F(KserveTest, AModelDescribesItself) {
  EXPECT_EQ(Get("/v2/models/lengths"), Json::parse(R"({
      "name": "lengths", "versions": ["1"], "platform": "quaver",
      "inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [-1, 1]}],
      "outputs": [
        {"name": "LENGTHS", "datatype": "FP32", "shape": [-1, 2]}]})"));
  EXPECT_EQ(Get("/v2/models/lengths/versions/1"), Get("/v2/models/lengths"));
  const Json config = Get("/v2/models/lengths/config");
  EXPECT_EQ(config["max_batch_size"], 4);
  EXPECT_EQ(config["input"][0]["data_type"], "TYPE_STRING");
  EXPECT_EQ(config["input"][0]["dims"], Json({1}));
  EXPECT_EQ(config["input"][0]["reshape"]["shape"], Json::array());
  EXPECT_EQ(config["output"][0]["dims"], Json({2}));
  EXPECT_EQ(Get("/v2/models/lengths/ready")["ready"], true);
}

TEST_F(KserveTest, UnknownModelsVersionsAndRoutesAreRefused) {
  for (const auto& [suffix, status] :
       {std::pair{"", 404}, {"/ready", 400}, {"/config", 404}}) {
    EXPECT_EQ(
        Error(Send("GET", std::string("/v2/models/a%20b") + suffix), status),
        "Request for unknown model: 'a b' is not found");
    EXPECT_EQ(Error(Send("GET",
                         std::string("/v2/models/lengths/versions/9") + suffix),
                    status),
              "Request for unknown model: 'lengths' version 9 is not found");
  }
  EXPECT_EQ(Error(Send("GET", "/v2/models/a%20b/stats"), 400),
            "requested model 'a b' is not available");
  EXPECT_EQ(Error(Send("GET", "/v2/models/lengths/versions/9/stats"), 400),
            "requested model version is not available for model 'lengths'");
  EXPECT_EQ(Error(Send("GET", "/v2/models/lengths/versions/x/stats"), 404),
            "Not Found");
  EXPECT_EQ(Error(Send("POST", "/v2/models/no/infer", "{}"), 404),
            "Request for unknown model: 'no' is not found");
  for (const char* path :
       {"/v2/models/lengths/versions/x", "/v2/models/lengths/no", "/v3",
        "/v2/models/lengths/versions/99999999999999999999"}) {
    EXPECT_EQ(Error(Send("GET", path), 404), "Not Found");
  }
  EXPECT_EQ(Error(Send("POST", "/v2/health/live"), 405), "Method Not Allowed");
  EXPECT_EQ(Error(Send("GET", "/v2/models/lengths/infer"), 405),
            "Method Not Allowed");
  EXPECT_EQ(Send("GET", "/v2/models/%zz").status, 400);
}

TEST_F(KserveTest, InfersFromJson) {
  const HttpResponse response = Infer(R"(["abba","a"])");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(Json::parse(response.body), Json::parse(R"({
      "model_name": "lengths", "model_version": "1", "outputs": [
        {"name": "LENGTHS", "datatype": "FP32", "shape": [2, 2],
         "data": [4, 4, 1, 1]}]})"));
  for (const char* name :
       {"X-Total-Time", "X-Queue-Time", "X-Inference-Time"}) {
    EXPECT_NE(FindField(response.headers, name), nullptr);
  }
}

TEST_F(KserveTest, InfersFromRawBytes) {
  const HttpResponse response =
      Send("POST", "/v2/models/lengths/infer", "{not JSON}",
           {{"inference-header-content-length", "0"}});
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.content_type, "application/octet-stream");
  const auto* length =
      FindField(response.headers, "Inference-Header-Content-Length");
  ASSERT_NE(length, nullptr);
  const std::string binary = response.body.substr(std::stoul(*length));
  float first = 0;
  ASSERT_EQ(binary.size(), 2 * sizeof(first));
  std::memcpy(&first, binary.data(), sizeof(first));
  EXPECT_EQ(first, 10);
}

TEST_F(KserveTest, BadBodiesAre400AndCounted) {
  EXPECT_THAT(Error(Send("POST", "/v2/models/lengths/infer", "nonsense"), 400),
              HasSubstr("failed to parse the request JSON"));
  EXPECT_THAT(Error(Send("POST", "/v2/models/lengths/infer", "{}",
                         {{"inference-header-content-length", "3"}}),
                    400),
              HasSubstr("inference header size should be in range (0, 2)"));
  EXPECT_THAT(Error(Infer(R"(["a","b","c","d","e"])"), 400),
              HasSubstr("batch-size must be <= 4"));
  EXPECT_EQ(Get("/v2/models/lengths/stats")["model_stats"][0]["inference_stats"]
                                           ["fail"]["count"],
            3);
  EXPECT_THAT(metrics_.Expose(),
              HasSubstr("nv_inference_request_failure{model=\"lengths\",reason="
                        "\"OTHER\",version=\"1\"} 3"));
}

TEST_F(KserveTest, CompressedBodiesAreReadAndWritten) {
  const std::string text(4'000, 'x');
  const HttpResponse plain =
      Send("POST", "/v2/models/lengths/infer",
           R"({"id":")" + text +
               R"(","inputs":[{"name":"TEXT","datatype":"BYTES","shape":[1,1],
                   "data":["abba"]}]})",
           {{"accept-encoding", "gzip"}});
  ASSERT_EQ(plain.status, 200);
  EXPECT_EQ(*FindField(plain.headers, "Content-Encoding"), "gzip");
  const auto decoded = DecodeBody(ContentCoding::kGzip, plain.body, 1 << 20);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(Json::parse(*decoded)["id"], text);
  const std::string raw = EncodeBody(ContentCoding::kDeflate, text);
  const HttpResponse response =
      Send("POST", "/v2/models/lengths/infer", raw,
           {{"content-encoding", "deflate"},
            {"inference-header-content-length", "0"}});
  EXPECT_EQ(response.status, 200) << response.body;
}

TEST_F(KserveTest, CodingsThatAreBadTooLargeOrUnknownAreRefused) {
  const auto complaint = [&](const std::string& coding, const std::string& body,
                             int status = 400) {
    return Error(Send("POST", "/v2/models/lengths/infer", body,
                      {{"content-encoding", coding}}),
                 status);
  };
  EXPECT_THAT(complaint("br", "x", 501), HasSubstr("Content-Encoding \"br\""));
  EXPECT_THAT(complaint("gzip", "x"), HasSubstr("no complete gzip data"));
  const std::string zeros(BodyReader::kMaxBytes + 1, '\0');
  EXPECT_THAT(complaint("gzip", EncodeBody(ContentCoding::kGzip, zeros)),
              HasSubstr("exceeds the maximum allowed input size"));
}

TEST_F(KserveTest, WhatTheModelSaysBecomesAStatus) {
  model_->status = absl::UnavailableError("all instances are busy");
  const HttpResponse busy = Infer(R"(["a"])");
  EXPECT_EQ(Error(busy, 503), "all instances are busy");
  EXPECT_NE(FindField(busy.headers, "Retry-After"), nullptr);
  model_->status = absl::DeadlineExceededError("late");
  EXPECT_EQ(Error(Infer(R"(["a"])"), 503), "late");
  model_->status = absl::InternalError("broken");
  EXPECT_EQ(Error(Infer(R"(["a"])"), 500), "broken");
  model_->status = absl::CancelledError("gone");
  EXPECT_EQ(Error(Infer(R"(["a"])"), 400), "gone");
  const std::string exposed = metrics_.Expose();
  for (const char* sample : {"reason=\"REJECTED\",version=\"1\"} 2",
                             "reason=\"BACKEND\",version=\"1\"} 1",
                             "reason=\"CANCELED\",version=\"1\"} 1"}) {
    EXPECT_THAT(exposed, HasSubstr(sample));
  }
}

TEST_F(KserveTest, GeneratesFromAText) {
  const HttpResponse response =
      Send("POST", "/v2/models/lengths/generate", R"({"text_input":"abba"})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(Json::parse(response.body)["LENGTHS"], Json({4, 4}));
}

TEST_F(KserveTest, TheIndexListsModelsAndLoadingIsOff) {
  const Json index =
      Json::parse(R"([{"name": "lengths", "version": "1", "state": "READY"}])");
  for (const char* body : {"", "{}", R"({"ready":true})"}) {
    const HttpResponse response = Send("POST", "/v2/repository/index", body);
    EXPECT_EQ(Json::parse(response.body), index);
  }
  EXPECT_EQ(
      Error(Send("POST", "/v2/repository/index", R"({"ready":[true]})"), 400),
      "Invalid value for 'ready': expected a boolean");
  for (const char* action : {"load", "unload"}) {
    const std::string path =
        std::string("/v2/repository/models/lengths/") + action;
    EXPECT_THAT(Error(Send("POST", path, "{}"), 503),
                HasSubstr("explicit model load / unload is not allowed"));
    EXPECT_THAT(
        Error(Send("POST",
                   std::string("/v2/repository/r/models/lengths/") + action),
              501),
        HasSubstr("'repository_name'"));
  }
  EXPECT_THAT(Error(Send("GET", "/v2/systemsharedmemory/status"), 501),
              HasSubstr("shared memory is not supported"));
}

TEST_F(KserveTest, EmbedsAsOpenAiDoes) {
  const HttpResponse response = Send(
      "POST", "/v1/embeddings",
      R"({"model":"lengths","input":["a","abba","","a","a"],"dimensions":2})");
  ASSERT_EQ(response.status, 200) << response.body;
  const Json data = Json::parse(response.body)["data"];
  ASSERT_EQ(data.size(), 5u);
  EXPECT_EQ(data[1]["embedding"], Json({4, 4}));
  const auto message = [&](const std::string& body, int status) {
    const HttpResponse refused = Send("POST", "/v1/embeddings", body);
    EXPECT_EQ(refused.status, status);
    const Json error = Json::parse(refused.body)["error"];
    EXPECT_EQ(error["type"], "invalid_request_error");
    return error["message"].get<std::string>();
  };
  EXPECT_THAT(message(R"({"model":"no","input":"a"})", 404),
              HasSubstr("'no' does not exist"));
  EXPECT_THAT(message(R"({"model":"lengths","input":"a","dimensions":3})", 400),
              HasSubstr("'dimensions'"));
  EXPECT_THAT(message("[]", 400), HasSubstr("not an object"));
}

TEST(CallModelTest, TimesAreThoseOfTheClock) {
  Metrics metrics;
  FakeClock clock;
  const auto servable = std::make_shared<LengthModel>();
  servable->clock = &clock;
  KserveModel model(CompleteConfig("m", *servable, 4).value(), servable,
                    metrics);
  InferProtocol protocol;
  int64_t timeout_us = 0;
  protocol.read = [&]() -> absl::StatusOr<InferRequest> {
    clock.AdvanceUs(20);
    InferRequest request;
    request.timeout_us = timeout_us;
    request.batch_size = 2;
    request.inputs = {{"TEXT", Datatype::kBytes, {2}, {"a", "b"}, {}}};
    return request;
  };
  protocol.write = [&](const InferRequest&,
                       const Tensors&) -> absl::StatusOr<HttpResponse> {
    clock.AdvanceUs(4);
    return HttpResponse();
  };
  protocol.write_error = [](const absl::Status& status) {
    return KserveError(status);
  };
  HttpRequest request;
  request.received_us = clock.NowUs();
  clock.AdvanceUs(1'000);
  const HttpResponse response = CallModel(model, request, protocol, clock);
  EXPECT_EQ(*FindField(response.headers, "X-Total-Time"), "1.324");
  EXPECT_EQ(*FindField(response.headers, "X-Queue-Time"), "1.000");
  EXPECT_EQ(*FindField(response.headers, "X-Inference-Time"), "0.300");

  timeout_us = 1'000;  // over before the model is asked
  const HttpResponse late = CallModel(model, request, protocol, clock);
  EXPECT_EQ(late.status, 503);
  EXPECT_THAT(late.body, HasSubstr("Request timeout expired"));

  const Json stats = model.statistics.ToJson();
  EXPECT_GT(stats["last_inference"], 1'700'000'000'000);
  EXPECT_EQ(stats["inference_count"], 2);
  EXPECT_EQ(stats["execution_count"], 1);
  const auto sum = [&](const char* name) {
    return stats["inference_stats"][name];
  };
  const auto expected = [](int count, int64_t ns) {
    return Json({{"count", count}, {"ns", ns}});
  };
  EXPECT_EQ(sum("success"), expected(1, 1'324'000));
  EXPECT_EQ(sum("queue"), expected(1, 1'000'000));
  EXPECT_EQ(sum("compute_input"), expected(1, 20'000));
  EXPECT_EQ(sum("compute_infer"), expected(1, 300'000));
  EXPECT_EQ(sum("compute_output"), expected(1, 4'000));
  EXPECT_EQ(sum("fail")["count"], 1);
  EXPECT_EQ(stats["batch_stats"][0]["batch_size"], 2);
  EXPECT_EQ(stats["batch_stats"][0]["compute_infer"], expected(1, 300'000));
  const std::string exposed = metrics.Expose();
  for (const char* line :
       {"nv_inference_request_success{model=\"m\",version=\"1\"} 1",
        "nv_inference_count{model=\"m\",version=\"1\"} 2",
        "nv_inference_exec_count{model=\"m\",version=\"1\"} 1",
        "nv_inference_request_duration_us{model=\"m\",version=\"1\"} 1324",
        "nv_inference_queue_duration_us{model=\"m\",version=\"1\"} 1000",
        "nv_inference_compute_input_duration_us{model=\"m\",version=\"1\"} 20",
        "nv_inference_compute_infer_duration_us{model=\"m\",version=\"1\"} 300",
        "nv_inference_compute_output_duration_us{model=\"m\",version=\"1\"} "
        "4"}) {
    EXPECT_THAT(exposed, HasSubstr(line));
  }
}

TEST(KserveModelsTest, ModelsWithoutBatchesAndWrongOnes) {
  Metrics metrics;
  KserveModels models(metrics);
  const auto servable = std::make_shared<LengthModel>();
  ASSERT_TRUE(models.Add("plain", servable, 0).ok());
  const ModelConfig& config = (*models.Find("plain"))->config;
  EXPECT_EQ(config.inputs[0].dims, std::vector<int64_t>{-1});
  EXPECT_FALSE(config.inputs[0].is_scalar);
  EXPECT_EQ(models.Add("plain", servable, 0).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(models.Add("other", servable, -1).code(),
            absl::StatusCode::kInvalidArgument);
  class Fixed : public LengthModel {
    std::vector<TensorSpec> inputs() const override {
      return {{"TEXT", Datatype::kBytes, {1}}};
    }
  };
  EXPECT_THAT(Message(models.Add("fixed", std::make_shared<Fixed>(), 2)),
              HasSubstr("tensor 'TEXT' has no batch dimension"));
}

}  // namespace
}  // namespace quaver
