// Tests of the routes for embeddings: OpenAI's and TEI's.
#include "quaver/serve/openai_embeddings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/sched/tensors.h"
#include "quaver/serve/internal/embedding_model.h"
#include "quaver/serve/tei_embed.h"

namespace quaver {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

TEST(OpenAiEmbeddingsTest, RequestsAreRead) {
  auto request = ParseEmbeddingRequest(R"({"model":"encoder","input":"abba"})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->model, "encoder");
  EXPECT_EQ(request->texts, std::vector<std::string>{"abba"});
  EXPECT_FALSE(request->is_base64);
  request = ParseEmbeddingRequest(
      R"({"model":"encoder","input":["a",""],"encoding_format":"base64",
          "dimensions":384,"user":"me"})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->texts.size(), 2u);
  EXPECT_TRUE(request->is_base64);
  EXPECT_EQ(request->dimensions, 384);
}

TEST(OpenAiEmbeddingsTest, BadRequestsNameTheMember) {
  const auto complaint = [](const std::string& body) {
    const auto request = ParseEmbeddingRequest(body);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
    return Message(request.status());
  };
  EXPECT_THAT(complaint(R"({"input":"a"})"), HasSubstr("'model'"));
  EXPECT_THAT(complaint(R"({"model":1,"input":"a"})"), HasSubstr("'model'"));
  EXPECT_THAT(complaint(R"({"model":"m"})"), HasSubstr("'input'"));
  EXPECT_THAT(complaint(R"({"model":"m","input":[]})"), HasSubstr("is empty"));
  EXPECT_THAT(complaint(R"({"model":"m","input":[1,2]})"),
              HasSubstr("token ids are not taken"));
  EXPECT_THAT(complaint(R"({"model":"m","input":{}})"), HasSubstr("'input'"));
  EXPECT_THAT(
      complaint(R"({"model":"m","input":"a","encoding_format":"int8"})"),
      HasSubstr("'encoding_format'"));
  EXPECT_THAT(complaint(R"({"model":"m","input":"a","dimensions":0})"),
              HasSubstr("'dimensions'"));
  std::string many = R"({"model":"m","input":["a")";
  for (size_t i = 0; i < kMaxEmbeddingInputs; ++i) many += ",\"a\"";
  EXPECT_THAT(complaint(many + "]}"), HasSubstr("too long"));
}

TEST(OpenAiEmbeddingsTest, EmbeddingsAreNumbersOrBase64) {
  EmbeddingRequest request;
  request.model = "m";
  request.texts = {"a", "b"};
  const Tensor embeddings = MakeTensor("E", Datatype::kFp32, {2, 2},
                                       std::vector<float>{0.5f, 1, -1, 2});
  EXPECT_EQ(Json::parse(WriteEmbeddings(request, embeddings)), Json::parse(R"({
      "object": "list", "model": "m", "data": [
        {"object": "embedding", "index": 0, "embedding": [0.5, 1]},
        {"object": "embedding", "index": 1, "embedding": [-1, 2]}]})"));
  EXPECT_EQ(Json::parse(WriteEmbeddings(request, embeddings, 7))["usage"],
            Json({{"prompt_tokens", 7}, {"total_tokens", 7}}));
  request.is_base64 = true;
  const Json json = Json::parse(WriteEmbeddings(request, embeddings));
  EXPECT_EQ(json["data"][0]["embedding"], "AAAAPwAAgD8=");
}

TEST(OpenAiEmbeddingsTest, Base64IsThatOfTheRfc) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foo"), "Zm9v");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64("\xff\xff\xfe"), "///+");
}

TEST(TeiEmbedTest, RequestsAreRead) {
  auto request = ParseTeiRequest(R"({"inputs":"abba"})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->texts, std::vector<std::string>{"abba"});
  request = ParseTeiRequest(
      R"({"inputs":["a","b"],"truncate":true,"normalize":true,
          "dimensions":8,"prompt_name":null})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->texts.size(), 2u);
  EXPECT_EQ(request->dimensions, 8);
}

TEST(TeiEmbedTest, BadRequestsNameTheMember) {
  const auto complaint = [](const std::string& body) {
    const auto request = ParseTeiRequest(body);
    EXPECT_TRUE(absl::IsInvalidArgument(request.status()));
    return Message(request.status());
  };
  EXPECT_THAT(complaint("{}"), HasSubstr("'inputs'"));
  EXPECT_THAT(complaint(R"({"inputs":[]})"), HasSubstr("is empty"));
  EXPECT_THAT(complaint(R"({"inputs":[[1]]})"), HasSubstr("'inputs'"));
  EXPECT_THAT(complaint(R"({"inputs":"a","truncate":1})"),
              HasSubstr("'truncate'"));
  EXPECT_THAT(complaint(R"({"inputs":"a","normalize":false})"),
              HasSubstr("'normalize'"));
  EXPECT_THAT(complaint(R"({"inputs":"a","dimensions":-1})"),
              HasSubstr("'dimensions'"));
}

// The length of each text, twice, and as its tokens.
class LengthModel : public Servable {
 public:
  std::vector<TensorSpec> inputs() const override {
    return {{"TEXT", Datatype::kBytes, {-1}, /*optional=*/true},
            {"INPUT_IDS", Datatype::kInt64, {-1, -1}, /*optional=*/true}};
  }
  std::vector<TensorSpec> outputs() const override {
    return {{"LENGTHS", Datatype::kFp32, {-1, 2}},
            {"TOKENS", Datatype::kInt32, {-1}}};
  }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request, const CallOptions&,
                                CallTimes*) override {
    RETURN_IF_ERROR(status);
    std::vector<float> lengths;
    std::vector<int32_t> tokens;
    for (const std::string& text : request[0].strings) {
      lengths.insert(lengths.end(), 2, static_cast<float>(text.size()));
      tokens.push_back(static_cast<int32_t>(text.size()));
    }
    if (is_broken) lengths.pop_back();
    const auto rows = static_cast<int64_t>(tokens.size());
    return Tensors{MakeTensor("LENGTHS", Datatype::kFp32, {rows, 2}, lengths),
                   MakeTensor("TOKENS", Datatype::kInt32, {rows}, tokens)};
  }

  absl::Status status;  // what it fails with
  bool is_broken = false;
};

class EmbeddingRoutesTest : public testing::Test {
 protected:
  EmbeddingRoutesTest() {
    RegisterEmbeddings(router_, models_, bodies_);
    RegisterTeiEmbed(router_, models_, bodies_);
  }
  void AddModel() { ASSERT_TRUE(models_.Add(kTeiModel, model_, 4).ok()); }

  HttpResponse Post(const std::string& path, const std::string& body) {
    HttpRequest request;
    request.method = "POST";
    request.path = path;
    request.body = body;
    request.received_us = Clock::Real().NowUs();
    return router_.Handle(request);
  }
  std::string TeiError(const std::string& body, int status) {
    const HttpResponse response = Post("/embed", body);
    EXPECT_EQ(response.status, status) << response.body;
    const Json json = Json::parse(response.body);
    EXPECT_TRUE(json.contains("error"));
    return json["error_type"];
  }

  Metrics metrics_;
  KserveModels models_{metrics_};
  BodyReader bodies_;
  Router router_;
  const std::shared_ptr<LengthModel> model_ = std::make_shared<LengthModel>();
};

TEST_F(EmbeddingRoutesTest, OpenAisTellsTheTokens) {
  AddModel();
  const HttpResponse response =
      Post("/v1/embeddings", R"({"model":"encoder","input":["a","abba",""]})");
  ASSERT_EQ(response.status, 200) << response.body;
  const Json json = Json::parse(response.body);
  EXPECT_EQ(json["data"][1]["embedding"], Json({4, 4}));
  EXPECT_EQ(json["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(json["usage"]["total_tokens"], 5);
}

TEST_F(EmbeddingRoutesTest, TeisIsAListOfLists) {
  AddModel();
  const HttpResponse one = Post("/embed", R"({"inputs":"abba"})");
  EXPECT_EQ(one.status, 200);
  EXPECT_EQ(one.body, "[[4,4]]");
  // More than the model's batch.
  EXPECT_EQ(Post("/embed", R"({"inputs":["a","","abba","b","c"]})").body,
            "[[1,1],[0,0],[4,4],[1,1],[1,1]]");
}

TEST_F(EmbeddingRoutesTest, TeisErrorsAreItsOwn) {
  EXPECT_EQ(TeiError(R"({"inputs":"a"})", 503), "Unhealthy");
  AddModel();
  EXPECT_EQ(TeiError("{", 422), "Validation");
  EXPECT_EQ(TeiError(R"({"inputs":"a","dimensions":3})", 422), "Validation");
  model_->status = absl::ResourceExhaustedError("busy");
  EXPECT_EQ(TeiError(R"({"inputs":"a"})", 429), "Overloaded");
  model_->status = absl::InternalError("no");
  EXPECT_EQ(TeiError(R"({"inputs":"a"})", 424), "Backend");
  model_->status = absl::OkStatus();
  model_->is_broken = true;
  EXPECT_EQ(TeiError(R"({"inputs":"a"})", 424), "Backend");
  EXPECT_EQ(Post("/v1/embeddings", R"({"model":"encoder","input":"a"})").status,
            500);
}

}  // namespace
}  // namespace quaver
