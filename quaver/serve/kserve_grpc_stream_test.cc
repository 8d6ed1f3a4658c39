// Tests of streams, over a server in this process and gRPC's own client.
#include <gtest/gtest.h>

#include "quaver/serve/kserve_grpc_fixture.h"

namespace quaver {
namespace {

using inference::ModelStreamInferResponse;

using Stream =
    grpc::ClientReaderWriter<ModelInferRequest, ModelStreamInferResponse>;

class KserveGrpcStreamTest : public KserveGrpcTest {
 protected:
  KserveGrpcStreamTest() { SetPatience(context_); }

  void Open() { stream_ = stub_->ModelStreamInfer(&context_); }

  ModelStreamInferResponse Next() {
    ModelStreamInferResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    return response;
  }

  // That the stream ends so, without further answers.
  void ExpectEnd(const std::string& status) {
    ModelStreamInferResponse response;
    EXPECT_FALSE(stream_->Read(&response));
    EXPECT_EQ(Text(stream_->Finish()), status);
  }

  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(KserveGrpcStreamTest, AnswersInOrderWhatIsWorkedOnAtOnce) {
  Open();
  EXPECT_TRUE(stream_->Write(Request("wait", "1")));
  EXPECT_TRUE(stream_->Write(Request("b", "2")));
  EXPECT_TRUE(stream_->Write(Request("c", "3")));
  model_->AwaitCalls(3);  // while the first one waits
  model_->Release();
  for (const char* id : {"1", "2", "3"}) {
    const ModelStreamInferResponse response = Next();
    EXPECT_EQ(response.error_message(), "");
    EXPECT_EQ(response.infer_response().id(), id);
    EXPECT_TRUE(response.infer_response()
                    .parameters()
                    .at("triton_final_response")
                    .bool_param());
  }
  stream_->WritesDone();
  ExpectEnd("0: ");
}

TEST_F(KserveGrpcStreamTest, MoreThanItsDepthIsAnsweredToo) {
  Open();
  constexpr int kNumRequests = 500;
  std::thread writer([&] {
    for (int i = 0; i < kNumRequests; ++i) {
      EXPECT_TRUE(stream_->Write(Request("a", fmt::to_string(i))));
    }
    stream_->WritesDone();
  });
  for (int i = 0; i < kNumRequests; ++i) {
    EXPECT_EQ(Next().infer_response().id(), fmt::to_string(i));
  }
  writer.join();
  ExpectEnd("0: ");
}

TEST_F(KserveGrpcStreamTest, AnErrorIsAMessage) {
  Open();
  EXPECT_TRUE(stream_->Write(Request("fail", "1")));
  EXPECT_TRUE(stream_->Write(Request("b", "2")));
  const ModelStreamInferResponse failed = Next();
  EXPECT_EQ(failed.error_message(), "it fails");
  EXPECT_EQ(failed.infer_response().id(), "1");
  EXPECT_EQ(Echo(Next().infer_response()), "b");
  stream_->WritesDone();
  ExpectEnd("0: ");
}

TEST_F(KserveGrpcStreamTest, AnErrorIsTheStatusWhereTheClientWantsIt) {
  context_.AddMetadata("triton_grpc_error", "true");
  Open();
  EXPECT_TRUE(stream_->Write(Request("a", "1")));
  EXPECT_TRUE(stream_->Write(Request("fail", "2")));
  EXPECT_EQ(Echo(Next().infer_response()), "a");
  ExpectEnd("13: it fails");
}

TEST_F(KserveGrpcStreamTest, ACancelledStreamEndsTheWork) {
  Open();
  EXPECT_TRUE(stream_->Write(Request("wait")));
  model_->AwaitCalls(1);
  context_.TryCancel();
  ModelStreamInferResponse response;
  EXPECT_FALSE(stream_->Read(&response));
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_->Stop(kPatienceMs);
}

TEST_F(KserveGrpcStreamTest, StoppingEndsIdleStreamsAndAnswersTheOthers) {
  Open();
  EXPECT_TRUE(stream_->Write(Request("a")));
  EXPECT_EQ(Echo(Next().infer_response()), "a");
  grpc::ClientContext busy_context;
  SetPatience(busy_context);
  const auto busy = stub_->ModelStreamInfer(&busy_context);
  EXPECT_TRUE(busy->Write(Request("wait")));
  model_->AwaitCalls(2);
  std::thread stopper([&] { server_->Stop(kPatienceMs); });
  ExpectEnd("14: the server is stopping");
  model_->Release();
  ModelStreamInferResponse response;
  EXPECT_TRUE(busy->Read(&response));
  EXPECT_EQ(Echo(response.infer_response()), "wait");
  EXPECT_FALSE(busy->Read(&response));
  EXPECT_EQ(Text(busy->Finish()), "14: the server is stopping");
  stopper.join();
}

}  // namespace
}  // namespace quaver
