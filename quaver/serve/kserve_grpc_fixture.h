// A server in this process, a model that waits on demand, gRPC's own client.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "quaver/base/clock.h"
#include "quaver/base/mutex.h"
#include "quaver/net/grpc_server.h"
#include "quaver/net/proto/grpc_service.grpc.pb.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_grpc.h"

namespace quaver {

using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using Stub = GRPCInferenceService::Stub;

inline constexpr int kPatienceMs = 30'000;  // of a client; no test needs it

// Answers its text. One that says "wait" waits for Release(), or until nobody
// wants the answer.
class EchoModel : public Servable {
 public:
  std::vector<TensorSpec> inputs() const override {
    return {{"TEXT", Datatype::kBytes, {-1}}};
  }
  std::vector<TensorSpec> outputs() const override {
    return {{"ECHO", Datatype::kBytes, {-1}}};
  }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes*) override {
    const std::string& text = request[0].strings[0];
    Record(options);
    if (text == "fail") return absl::InternalError("it fails");
    if (text == "wait") RETURN_IF_ERROR(Wait(options));
    Tensors outputs = request;
    outputs[0].name = "ECHO";
    return outputs;
  }

  void Release() {
    const MutexLock lock(&mutex_);
    is_released_ = true;
  }

  // Until so many calls are or were in it.
  void AwaitCalls(int num_calls) {
    while (num_calls_ < num_calls) Pause();
  }
  int num_calls() const { return num_calls_; }

  struct Seen {
    int priority = 0;
    bool has_deadline = false;
    int64_t timeout_us = 0;
    std::string request_id, parameters;
  };
  // Of the newest call.
  Seen seen() {
    const MutexLock lock(&mutex_);
    return seen_;
  }

  static void Pause() {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  void Record(const CallOptions& options) {
    const MutexLock lock(&mutex_);
    seen_ = {.priority = options.priority,
             .has_deadline = options.deadline_us != kNever,
             .timeout_us = options.timeout_us,
             .request_id = std::string(options.request_id),
             .parameters = std::string(options.parameters)};
    ++num_calls_;
  }

  absl::Status Wait(const CallOptions& options) {
    while (true) {
      RETURN_IF_ERROR(CheckWanted(options, Clock::Real().NowUs()));
      {
        const MutexLock lock(&mutex_);
        if (is_released_) return absl::OkStatus();
      }
      Pause();
    }
  }

  std::atomic<int> num_calls_{0};
  Mutex mutex_;
  Seen seen_ ABSL_GUARDED_BY(mutex_);
  bool is_released_ ABSL_GUARDED_BY(mutex_) = false;
};

inline ModelInferRequest Request(const std::string& text,
                                 const std::string& id = "") {
  ModelInferRequest request;
  request.set_model_name("echo");
  request.set_id(id);
  auto& input = *request.add_inputs();
  input.set_name("TEXT");
  input.set_datatype("BYTES");
  input.add_shape(1);
  input.add_shape(1);
  input.mutable_contents()->add_bytes_contents(text);
  return request;
}

inline std::string Echo(const ModelInferResponse& response) {
  if (response.raw_output_contents_size() != 1) return "no output";
  return response.raw_output_contents(0).substr(4);
}

class KserveGrpcTest : public testing::Test {
 protected:
  explicit KserveGrpcTest(const KserveGrpcConfig& config = {})
      : kserve_({.server_name = "triton",
                 .server_version = "1.2",
                 .ready = [this] { return ready_; }},
                models_, config, metrics_) {
    EXPECT_TRUE(models_.Add("echo", model_, 4).ok());
  }

  void SetUp() override {
#ifdef QUAVER_TSAN
    GTEST_SKIP() << "TSan cannot see what Debian's gRPC synchronises";
#endif
    GrpcServerConfig server;
    server.on_stop = [this] { kserve_.EndStreams(); };
    auto started = GrpcServer::Start(server, kserve_.service());
    EXPECT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    stub_ = GRPCInferenceService::NewStub(grpc::CreateCustomChannel(
        fmt::format("127.0.0.1:{}", server_->port()),
        grpc::InsecureChannelCredentials(), arguments));
  }

  ~KserveGrpcTest() override { model_->Release(); }

  static void SetPatience(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(kPatienceMs));
  }

  // The answer to a call that has to succeed.
  template <typename Response, typename Call, typename Asked>
  Response Ask(Call call, const Asked& request) {
    grpc::ClientContext context;
    SetPatience(context);
    Response response;
    const grpc::Status status =
        (stub_.get()->*call)(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  // "CODE: message" of one that has to fail.
  template <typename Response, typename Call, typename Asked>
  std::string Refusal(Call call, const Asked& request) {
    grpc::ClientContext context;
    SetPatience(context);
    Response response;
    const grpc::Status status =
        (stub_.get()->*call)(&context, request, &response);
    EXPECT_FALSE(status.ok());
    return Text(status);
  }

  static std::string Text(const grpc::Status& status) {
    return fmt::format("{}: {}", static_cast<int>(status.error_code()),
                       status.error_message());
  }

  ModelInferResponse Infer(const ModelInferRequest& request) {
    return Ask<ModelInferResponse>(&GRPCInferenceService::Stub::ModelInfer,
                                   request);
  }
  std::string InferError(const ModelInferRequest& request) {
    return Refusal<ModelInferResponse>(&GRPCInferenceService::Stub::ModelInfer,
                                       request);
  }

  // The model's counts of requests that failed, by reason.
  bool Counts(const std::string& line) {
    return metrics_.Expose().find(line) != std::string::npos;
  }

  Metrics metrics_;
  std::shared_ptr<EchoModel> model_ = std::make_shared<EchoModel>();
  absl::Status ready_;
  KserveModels models_{metrics_};
  KserveGrpc kserve_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<GRPCInferenceService::Stub> stub_;
};

}  // namespace quaver
