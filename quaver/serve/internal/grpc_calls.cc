// See grpc_calls.h.
#include "quaver/serve/internal/grpc_calls.h"

#include <atomic>
#include <utility>

#include "absl/strings/ascii.h"
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>

#include "quaver/base/clock.h"
#include "quaver/serve/internal/grpc_message.h"
#include "quaver/serve/internal/grpc_stream.h"

namespace quaver {
namespace {

using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::internal::RpcServiceMethod;

void AnswerQuickly(const std::string& path, const GrpcMethod& method,
                   const ByteBuffer& request, grpc::ServerUnaryReactor* call,
                   GrpcWork& work, ByteBuffer* answer) {
  const int64_t received_us = Clock::Real().NowUs();
  GrpcAnswer answered = {CheckQuick(request), {}};
  if (answered.status.ok()) {
    answered = method.run(request, {.received_us = received_us});
  }
  const grpc::Status status = ToGrpc(answered.status);
  answer->Swap(&answered.bytes);
  work.CountAnswer(path, status.error_code(), received_us);
  call->Finish(status);
}

// One call that waits; deletes itself.
class LongCall : public grpc::ServerUnaryReactor {
 public:
  LongCall(CallbackServerContext& context, const std::string& path,
           const GrpcMethod& method, const ByteBuffer& request,
           ByteBuffer* answer, GrpcWork& work)
      : context_(context),
        path_(path),
        method_(method),
        request_(request),
        answer_(answer),
        work_(work),
        caller_{.received_us = Clock::Real().NowUs(),
                .deadline_us = DeadlineUs(context),
                .cancelled = &is_cancelled_} {}

  void Begin() {
    const absl::Status posted =
        work_.Post(request_.Length(), [this] { Run(); });
    if (!posted.ok()) End(posted);
  }

  void OnCancel() override { is_cancelled_ = true; }

  void OnDone() override {
    (void)is_ended_.load();  // what happened before End is seen here
    delete this;
  }

 private:
  void Run() {
    GrpcAnswer answered = method_.run(request_, caller_);
    answer_->Swap(&answered.bytes);
    if (answered.times) {
      for (const auto& [name, value] : TimingFields(*answered.times)) {
        context_.AddInitialMetadata(absl::AsciiStrToLower(name), value);
      }
    }
    End(answered.status);
  }

  void End(const absl::Status& result) {
    grpc::Status status = ToGrpc(result);
    // Whoever notices first that the client's deadline passed.
    if ((absl::IsDeadlineExceeded(result) || absl::IsCancelled(result)) &&
        Clock::Real().NowUs() >= caller_.deadline_us) {
      status = {grpc::StatusCode::DEADLINE_EXCEEDED, status.error_message()};
    }
    work_.CountAnswer(path_, status.error_code(), caller_.received_us);
    is_ended_ = true;
    Finish(status);
  }

  CallbackServerContext& context_;  // until Finish
  const std::string& path_;
  const GrpcMethod& method_;
  const ByteBuffer& request_;
  ByteBuffer* const answer_;
  GrpcWork& work_;
  std::atomic<bool> is_cancelled_{false};
  std::atomic<bool> is_ended_{false};
  const InferCaller caller_;
};

}  // namespace

absl::Status CheckQuick(const ByteBuffer& request) {
  if (request.Length() <= kMaxQuickBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("the request has more than {} bytes", kMaxQuickBytes));
}

GrpcCalls::GrpcCalls(GrpcWork& work, GrpcWork& repository)
    : work_(work),
      repository_(repository),
      streams_(std::make_unique<GrpcStreams>()) {}

GrpcCalls::~GrpcCalls() = default;

// What protoc generates for a service, with paths from a table.
void GrpcCalls::Add(const std::string& path, GrpcMethod method) {
  using UnaryHandler =
      grpc::internal::CallbackUnaryHandler<ByteBuffer, ByteBuffer>;
  using StreamHandler =
      grpc::internal::CallbackBidiHandler<ByteBuffer, ByteBuffer>;
  entries_.push_back(std::make_unique<Entry>(path, std::move(method)));
  const Entry& entry = *entries_.back();
  const bool is_stream = entry.method.kind == GrpcMethod::Kind::kStream;
  AddMethod(new RpcServiceMethod(entry.path.c_str(),
                                 is_stream ? RpcServiceMethod::BIDI_STREAMING
                                           : RpcServiceMethod::NORMAL_RPC,
                                 nullptr));
  grpc::internal::MethodHandler* handler = nullptr;
  if (is_stream) {
    handler = new StreamHandler([this, &entry](CallbackServerContext* context) {
      return streams_->Start(*context, entry.path, entry.method, work_);
    });
  } else {
    handler = new UnaryHandler([this, &entry](CallbackServerContext* context,
                                              const ByteBuffer* request,
                                              ByteBuffer* answer)
                                   -> grpc::ServerUnaryReactor* {
      if (entry.method.kind == GrpcMethod::Kind::kQuick) {
        auto* call = context->DefaultReactor();
        AnswerQuickly(entry.path, entry.method, *request, call, work_, answer);
        return call;
      }
      const bool is_of_repository =
          entry.method.kind == GrpcMethod::Kind::kRepository;
      auto* call = new LongCall(*context, entry.path, entry.method, *request,
                                answer, is_of_repository ? repository_ : work_);
      call->Begin();
      return call;
    });
  }
  MarkMethodRawCallback(static_cast<int>(entries_.size()) - 1, handler);
}

void GrpcCalls::EndStreams() { streams_->EndAll(); }

}  // namespace quaver
