// Tests of the calls, over a server in this process and gRPC's own client.
#include "quaver/serve/kserve_grpc.h"

#include <map>
#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/serve/kserve_grpc_fixture.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(KserveGrpcTest, TheServerDescribesItself) {
  EXPECT_TRUE(Ask<inference::ServerLiveResponse>(&Stub::ServerLive,
                                                 inference::ServerLiveRequest())
                  .live());
  const auto is_ready = [&] {
    return Ask<inference::ServerReadyResponse>(&Stub::ServerReady,
                                               inference::ServerReadyRequest())
        .ready();
  };
  EXPECT_TRUE(is_ready());
  ready_ = absl::UnavailableError("replaying");
  EXPECT_FALSE(is_ready());
  const auto metadata = Ask<inference::ServerMetadataResponse>(
      &Stub::ServerMetadata, inference::ServerMetadataRequest());
  EXPECT_EQ(metadata.name(), "triton");
  EXPECT_EQ(metadata.version(), "1.2");
  EXPECT_THAT(metadata.extensions(), testing::Contains("statistics"));
}

TEST_F(KserveGrpcTest, AModelDescribesItself) {
  inference::ModelMetadataRequest request;
  request.set_name("echo");
  const auto metadata =
      Ask<inference::ModelMetadataResponse>(&Stub::ModelMetadata, request);
  EXPECT_EQ(metadata.name(), "echo");
  EXPECT_THAT(metadata.versions(), ElementsAre("1"));
  EXPECT_EQ(metadata.platform(), "quaver");
  ASSERT_EQ(metadata.inputs_size(), 1);
  EXPECT_EQ(metadata.inputs(0).name(), "TEXT");
  EXPECT_EQ(metadata.inputs(0).datatype(), "BYTES");
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, 1));
  EXPECT_EQ(metadata.outputs(0).name(), "ECHO");

  inference::ModelConfigRequest config_request;
  config_request.set_name("echo");
  const auto config =
      Ask<inference::ModelConfigResponse>(&Stub::ModelConfig, config_request)
          .config();
  EXPECT_EQ(config.max_batch_size(), 4);
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_STRING);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(1));
}

TEST_F(KserveGrpcTest, UnknownModelsAndVersionsAreRefused) {
  inference::ModelMetadataRequest request;
  request.set_name("no");
  EXPECT_EQ(
      Refusal<inference::ModelMetadataResponse>(&Stub::ModelMetadata, request),
      "5: Request for unknown model: 'no' is not found");
  request.set_name("echo");
  request.set_version("2");
  EXPECT_EQ(
      Refusal<inference::ModelMetadataResponse>(&Stub::ModelMetadata, request),
      "5: Request for unknown model: 'echo' version 2 is not found");
  request.set_version("new");
  EXPECT_THAT(
      Refusal<inference::ModelMetadataResponse>(&Stub::ModelMetadata, request),
      HasSubstr("3: failed to get model version from specified version string "
                "'new'"));
  inference::ModelReadyRequest ready;
  const auto is_ready = [&](const char* name, const char* version) {
    ready.set_name(name);
    ready.set_version(version);
    return Ask<inference::ModelReadyResponse>(&Stub::ModelReady, ready).ready();
  };
  EXPECT_TRUE(is_ready("echo", ""));
  EXPECT_TRUE(is_ready("echo", "1"));
  EXPECT_FALSE(is_ready("echo", "2"));
  EXPECT_FALSE(is_ready("echo", "0"));
  EXPECT_FALSE(is_ready("no", ""));
  ready.set_version("new");
  EXPECT_THAT(Refusal<inference::ModelReadyResponse>(&Stub::ModelReady, ready),
              HasSubstr("3: failed to get model version"));
}

TEST_F(KserveGrpcTest, Infers) {
  const ModelInferResponse response = Infer(Request("abba", "7"));
  EXPECT_EQ(response.model_name(), "echo");
  EXPECT_EQ(response.model_version(), "1");
  EXPECT_EQ(response.id(), "7");
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "ECHO");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(1, 1));
  EXPECT_EQ(Echo(response), "abba");
  ModelInferRequest raw = Request("");
  raw.mutable_inputs(0)->clear_contents();
  raw.add_raw_input_contents(std::string("\x02\0\0\0ab", 6));
  EXPECT_EQ(Echo(Infer(raw)), "ab");
}

TEST_F(KserveGrpcTest, AnAnswersMetadataTellItsTimes) {
  const auto fields = [&](const char* text) {
    grpc::ClientContext context;
    SetPatience(context);
    ModelInferResponse response;
    (void)stub_->ModelInfer(&context, Request(text), &response);
    std::map<std::string, double> milliseconds;
    for (const auto& [name, value] : context.GetServerInitialMetadata()) {
      const std::string field(name.data(), name.size());
      if (field.starts_with("x-")) {
        milliseconds[field] =
            std::stod(std::string(value.data(), value.size()));
      }
    }
    return milliseconds;
  };
  auto times = fields("a");
  EXPECT_EQ(times.size(), 3);
  EXPECT_GT(times["x-total-time"], 0);
  EXPECT_GE(times["x-total-time"],
            times["x-queue-time"] + times["x-inference-time"] - 0.002);
  EXPECT_TRUE(fields("fail").empty());
}

TEST_F(KserveGrpcTest, LargeTensorsGoBothWays) {
  const std::string large(8 << 20, 'x');
  EXPECT_EQ(Echo(Infer(Request(large))), large);
}

TEST_F(KserveGrpcTest, CompressedRequestsAreInflatedWithinBounds) {
  const auto ask = [&](grpc_compression_algorithm algorithm, size_t num_bytes) {
    grpc::ClientContext context;
    SetPatience(context);
    context.set_compression_algorithm(algorithm);
    ModelInferResponse response;
    const grpc::Status status = stub_->ModelInfer(
        &context, Request(std::string(num_bytes, 'x')), &response);
    return status.ok() ? fmt::to_string(Echo(response).size()) : Text(status);
  };
  for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    EXPECT_EQ(ask(algorithm, 1'000), "1000");
    EXPECT_EQ(ask(algorithm, 3 << 20), "3145728");
    EXPECT_THAT(ask(algorithm, 65 << 20),
                HasSubstr("3: the decompressed body exceeds"));
  }
}

TEST_F(KserveGrpcTest, WhatIsWrongIsSaid) {
  ModelInferRequest request = Request("a");
  request.mutable_inputs(0)->set_name("OTHER");
  EXPECT_EQ(InferError(request),
            "3: unexpected inference input 'OTHER' for model 'echo'");
  EXPECT_EQ(InferError(Request("fail")), "13: it fails");
  EXPECT_EQ(Infer(Request("after")).model_name(), "echo");
}

TEST_F(KserveGrpcTest, WhatTheCallerAsksForReachesTheModel) {
  ModelInferRequest request = Request("a", "id-1");
  auto& parameters = *request.mutable_parameters();
  parameters["priority"].set_int64_param(2);
  parameters["color"].set_string_param("red");
  Infer(request);
  EXPECT_EQ(model_->seen().priority, 2);
  EXPECT_EQ(model_->seen().request_id, "id-1");
  EXPECT_EQ(model_->seen().parameters, R"({"color":"red"})");
  EXPECT_TRUE(model_->seen().has_deadline);  // the client's patience
  EXPECT_EQ(model_->seen().timeout_us, 0);
  parameters["timeout"].set_int64_param(60'000'000);
  Infer(request);
  EXPECT_EQ(model_->seen().timeout_us, 60'000'000);

  grpc::ClientContext patient;
  ModelInferResponse response;
  EXPECT_TRUE(stub_->ModelInfer(&patient, Request("a"), &response).ok());
  EXPECT_FALSE(model_->seen().has_deadline);
}

TEST_F(KserveGrpcTest, ATimeoutEndsTheWork) {
  ModelInferRequest request = Request("wait");
  (*request.mutable_parameters())["timeout"].set_int64_param(1'000);
  EXPECT_EQ(InferError(request), "14: Request timeout expired");
  EXPECT_TRUE(
      Counts("nv_inference_request_failure{model=\"echo\",reason="
             "\"REJECTED\",version=\"1\"} 1"))
      << metrics_.Expose();
}

TEST_F(KserveGrpcTest, ADeadlineEndsTheWork) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(50));
  ModelInferResponse response;
  EXPECT_EQ(
      stub_->ModelInfer(&context, Request("wait"), &response).error_code(),
      grpc::StatusCode::DEADLINE_EXCEEDED);
  server_->Stop(kPatienceMs);  // returns, as the model does
}

TEST_F(KserveGrpcTest, ACancelledCallEndsTheWork) {
  grpc::ClientContext context;
  std::thread canceller([&] {
    model_->AwaitCalls(1);
    context.TryCancel();
  });
  ModelInferResponse response;
  EXPECT_EQ(
      stub_->ModelInfer(&context, Request("wait"), &response).error_code(),
      grpc::StatusCode::CANCELLED);
  canceller.join();
  server_->Stop(kPatienceMs);
  EXPECT_TRUE(
      Counts("nv_inference_request_failure{model=\"echo\",reason="
             "\"CANCELED\",version=\"1\"} 1"));
}

TEST_F(KserveGrpcTest, CountsWhatItAnswers) {
  Infer(Request("a"));
  InferError(Request("fail"));
  inference::ModelStatisticsRequest request;
  const auto stats =
      Ask<inference::ModelStatisticsResponse>(&Stub::ModelStatistics, request);
  ASSERT_EQ(stats.model_stats_size(), 1);
  const auto& echo = stats.model_stats(0);
  EXPECT_EQ(echo.name(), "echo");
  EXPECT_EQ(echo.inference_count(), 1u);
  EXPECT_EQ(echo.execution_count(), 1u);
  EXPECT_EQ(echo.inference_stats().success().count(), 1u);
  EXPECT_EQ(echo.inference_stats().fail().count(), 1u);
  request.set_name("echo");
  EXPECT_EQ(
      Ask<inference::ModelStatisticsResponse>(&Stub::ModelStatistics, request)
          .model_stats_size(),
      1);
  request.set_name("no");
  EXPECT_EQ(Refusal<inference::ModelStatisticsResponse>(&Stub::ModelStatistics,
                                                        request),
            "3: requested model 'no' is not available");
  request.set_name("echo");
  request.set_version("2");
  EXPECT_EQ(Refusal<inference::ModelStatisticsResponse>(&Stub::ModelStatistics,
                                                        request),
            "3: requested model version is not available for model 'echo'");
  for (const char* code : {"0", "13"}) {
    EXPECT_TRUE(Counts(fmt::format(
        "quaver_grpc_requests_total{{code=\"{}\",method=\"/inference."
        "GRPCInferenceService/ModelInfer\"}} 1",
        code)));
  }
}

TEST_F(KserveGrpcTest, TheRepositoryIsAsTheServerWasStarted) {
  inference::RepositoryIndexRequest index;
  const auto models =
      Ask<inference::RepositoryIndexResponse>(&Stub::RepositoryIndex, index);
  ASSERT_EQ(models.models_size(), 1);
  EXPECT_EQ(models.models(0).name(), "echo");
  EXPECT_EQ(models.models(0).version(), "1");
  EXPECT_EQ(models.models(0).state(), "READY");
  index.set_repository_name("other");
  EXPECT_EQ(Refusal<inference::RepositoryIndexResponse>(&Stub::RepositoryIndex,
                                                        index),
            "12: 'repository_name' specification is not supported");
  inference::RepositoryModelLoadRequest load;
  load.set_model_name("echo");
  EXPECT_THAT(Refusal<inference::RepositoryModelLoadResponse>(
                  &Stub::RepositoryModelLoad, load),
              HasSubstr("14: explicit model load / unload is not allowed"));
  inference::RepositoryModelUnloadRequest unload;
  unload.set_model_name("echo");
  EXPECT_THAT(Refusal<inference::RepositoryModelUnloadResponse>(
                  &Stub::RepositoryModelUnload, unload),
              HasSubstr("14: explicit model load / unload is not allowed"));
}

TEST_F(KserveGrpcTest, WhatIsNotServedIsSaid) {
  const inference::UnservedRequest request;
  EXPECT_EQ(Refusal<inference::UnservedResponse>(
                &Stub::SystemSharedMemoryStatus, request),
            "12: shared memory is not supported");
  EXPECT_EQ(Refusal<inference::UnservedResponse>(&Stub::TraceSetting, request),
            "12: trace settings are not supported");
}

TEST_F(KserveGrpcTest, SmallCallsHaveSmallRequests) {
  inference::ModelMetadataRequest request;
  request.set_name(std::string(64 << 10, 'x'));
  EXPECT_EQ(
      Refusal<inference::ModelMetadataResponse>(&Stub::ModelMetadata, request),
      "3: the request has more than 65536 bytes");
}

// More than the 320 that could be in the server at once before.
TEST_F(KserveGrpcTest, ManyCallsWaitForAModelWithoutARefusal) {
  constexpr int kNumCalls = 400;
  grpc::CompletionQueue answers;
  struct Call {
    grpc::ClientContext context;
    ModelInferResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<ModelInferResponse>> reader;
  };
  std::vector<Call> calls(kNumCalls);
  for (Call& call : calls) {
    SetPatience(call.context);
    call.reader =
        stub_->AsyncModelInfer(&call.context, Request("wait"), &answers);
    call.reader->Finish(&call.response, &call.status, &call);
  }
  model_->AwaitCalls(kNumCalls);
  model_->Release();
  for (int i = 0; i < kNumCalls; ++i) {
    void* tag = nullptr;
    bool is_ok = false;
    ASSERT_TRUE(answers.Next(&tag, &is_ok));
    EXPECT_TRUE(static_cast<Call*>(tag)->status.ok());
  }
  answers.Shutdown();
}

class KserveGrpcOverloadTest : public KserveGrpcTest {
 protected:
  KserveGrpcOverloadTest()
      : KserveGrpcTest(
            {.max_threads = 1, .max_queue = 0, .max_bytes = 1 << 20}) {}
};

TEST_F(KserveGrpcOverloadTest, WhatIsTooMuchIsRefusedAtOnce) {
  std::thread first([&] { EXPECT_EQ(Echo(Infer(Request("wait"))), "wait"); });
  model_->AwaitCalls(1);
  EXPECT_EQ(InferError(Request("a")), "14: Exceeds maximum queue size");
  grpc::ClientContext context;
  SetPatience(context);
  const auto stream = stub_->ModelStreamInfer(&context);
  EXPECT_TRUE(stream->Write(Request("a")));
  inference::ModelStreamInferResponse refused;
  EXPECT_TRUE(stream->Read(&refused));
  EXPECT_EQ(refused.error_message(), "Exceeds maximum queue size");
  EXPECT_EQ(Ask<inference::ServerReadyResponse>(&Stub::ServerReady,
                                                inference::ServerReadyRequest())
                .ready(),
            true);  // the quick ones need no thread
  EXPECT_EQ(Ask<inference::RepositoryIndexResponse>(
                &Stub::RepositoryIndex, inference::RepositoryIndexRequest())
                .models_size(),
            1);  // the repository has its own
  model_->Release();
  first.join();
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(model_->num_calls(), 1);
}

TEST_F(KserveGrpcOverloadTest, TooManyBytesAreRefused) {
  EXPECT_THAT(InferError(Request(std::string(1 << 20, 'x'))),
              HasSubstr("14: too many requests"));
  EXPECT_EQ(Infer(Request(std::string(1 << 19, 'x'))).model_name(), "echo");
}

}  // namespace
}  // namespace quaver
