// See kserve_grpc.h.
#include "quaver/serve/kserve_grpc.h"

#include <utility>

#include "quaver/net/proto/grpc_service.pb.h"
#include "quaver/serve/infer_call.h"
#include "quaver/serve/internal/grpc_bodies.h"
#include "quaver/serve/internal/grpc_calls.h"
#include "quaver/serve/internal/grpc_message.h"
#include "quaver/serve/internal/grpc_methods.h"
#include "quaver/serve/kserve_grpc_tensors.h"

namespace quaver {
namespace {

using grpc::ByteBuffer;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

// Loads at once, which may take minutes, and calls that wait for those.
constexpr int kRepositoryThreads = 16;
constexpr size_t kRepositoryQueue = 64;

// Of each message of a stream, whose requests have one answer each.
constexpr char kFinal[] = "triton_final_response";

GrpcAnswer StreamError(const absl::Status& status, const std::string& id) {
  ModelStreamInferResponse response;
  response.set_error_message(Message(status));
  response.mutable_infer_response()->set_id(id);
  return {status, WriteMessage(response)};
}

// The methods that ask a model.
class InferMethods {
 public:
  InferMethods(const KserveModels& models, GrpcBodies& bodies)
      : models_(models), bodies_(bodies) {}

  GrpcAnswer Infer(const ByteBuffer& bytes, const InferCaller& caller) {
    ModelInferRequest request;
    ModelInferResponse response;
    ByteBuffer answer;
    const auto times = Ask(bytes, caller, request, response,
                           [&] { answer = WriteMessage(response); });
    if (!times.ok()) return {times.status(), {}};
    return {absl::OkStatus(), std::move(answer), *times};
  }

  GrpcAnswer InferOfStream(const ByteBuffer& bytes, const InferCaller& caller) {
    ModelInferRequest request;
    ModelStreamInferResponse response;
    ByteBuffer answer;
    ModelInferResponse& inferred = *response.mutable_infer_response();
    const auto times = Ask(bytes, caller, request, inferred, [&] {
      (*inferred.mutable_parameters())[kFinal].set_bool_param(true);
      answer = WriteMessage(response);
    });
    if (!times.ok()) return StreamError(times.status(), request.id());
    return {absl::OkStatus(), std::move(answer)};
  }

 private:
  // `write` is called when `response` is there; its time counts as the
  // answer's.
  absl::StatusOr<InferTimes> Ask(const ByteBuffer& bytes,
                                 const InferCaller& caller,
                                 ModelInferRequest& request,
                                 ModelInferResponse& response,
                                 absl::FunctionRef<void()> write) {
    ASSIGN_OR_RETURN(const GrpcBody body,
                     bodies_.Open(bytes, caller.deadline_us));
    RETURN_IF_ERROR(ParseMessage(body.bytes, request));
    ASSIGN_OR_RETURN(
        const std::shared_ptr<KserveModel> model,
        FindModel(models_, request.model_name(), request.model_version()));
    return RunInfer(
        *model, caller, [&] { return ReadGrpcRequest(request, model->config); },
        [&](const InferRequest& asked, const Tensors& outputs) {
          WriteGrpcAnswer(model->config, asked, outputs, response);
          write();
          return absl::OkStatus();
        });
  }

  const KserveModels& models_;
  GrpcBodies& bodies_;
};

}  // namespace

struct KserveGrpc::Impl {
  Impl(const KserveModels& models, const KserveGrpcConfig& config,
       Metrics& metrics)
      : infer(models, bodies),
        work({.max_threads = config.max_threads,
              .max_queue = static_cast<size_t>(config.max_queue),
              .max_bytes = config.max_bytes},
             metrics),
        repository({.max_threads = kRepositoryThreads,
                    .max_queue = kRepositoryQueue,
                    .max_bytes = config.max_bytes},
                   metrics),
        calls(work, repository) {}

  GrpcBodies bodies;
  InferMethods infer;
  GrpcWork work, repository;
  GrpcCalls calls;
};

KserveGrpc::KserveGrpc(const KserveConfig& config, const KserveModels& models,
                       const KserveGrpcConfig& grpc, Metrics& metrics)
    : impl_(std::make_unique<Impl>(models, grpc, metrics)) {
  GrpcCalls& calls = impl_->calls;
  AddDescriptions(config, models, calls);
  AddRepository(config.repository, models, impl_->bodies, calls);
  AddUnserved(calls);
  const auto infer = [methods = &impl_->infer](const ByteBuffer& bytes,
                                               const InferCaller& caller) {
    return methods->Infer(bytes, caller);
  };
  calls.Add(KservePath("ModelInfer"),
            {.kind = GrpcMethod::Kind::kLong, .run = infer});
  const auto stream = [methods = &impl_->infer](const ByteBuffer& bytes,
                                                const InferCaller& caller) {
    return methods->InferOfStream(bytes, caller);
  };
  calls.Add(KservePath("ModelStreamInfer"),
            {.kind = GrpcMethod::Kind::kStream,
             .run = stream,
             .refuse = [](const absl::Status& status) {
               return StreamError(status, "");
             }});
}

KserveGrpc::~KserveGrpc() = default;

grpc::Service& KserveGrpc::service() { return impl_->calls; }

void KserveGrpc::EndStreams() { impl_->calls.EndStreams(); }

}  // namespace quaver
