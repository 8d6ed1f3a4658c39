// KServe's Open Inference Protocol, version 2, over gRPC, with the calls that
// Triton adds.
//
//   KserveGrpc kserve({.server_version = "1.0"}, models, {}, metrics);
//   ASSIGN_OR_RETURN(auto server, GrpcServer::Start(
//       {.port = 8001, .on_stop = [&] { kserve.EndStreams(); }},
//       kserve.service()));
#pragma once

#include <cstddef>
#include <memory>

#include "quaver/base/metrics.h"
#include "quaver/serve/kserve.h"
#include "quaver/serve/kserve_models.h"

namespace grpc {
class Service;
}

namespace quaver {

struct KserveGrpcConfig {
  // Inferences at once, each with a thread that waits for its model; threads
  // start as calls come, and end when idle. More than a model's queue holds
  // (1,024 where its configuration says nothing), so that it is the model that
  // refuses, and others are still asked.
  int max_threads = 1'280;
  int max_queue = 256;  // inferences that wait for a thread
  // Of requests that wait or are being answered, all together.
  size_t max_bytes = 256 << 20;
};

// inference.GRPCInferenceService. Shared memory, trace and log settings answer
// UNIMPLEMENTED.
//
// An inference answers in raw_output_contents, its metadata tell the times that
// HTTP's headers do (infer_call.h). The earlier of the call's
// deadline and the parameter `timeout` is the model's deadline; a client that
// cancels or leaves cancels the work for it. When too many calls or bytes wait,
// further ones are UNAVAILABLE at once. Calls of the repository have threads
// and a queue of their own: they answer whatever models do. Requests above 1
// MiB are worked on two at a time, and those of other calls may have no more
// than 64 KiB, except loading's. Compressed ones, gzip or deflate, are inflated
// to at most 64 MiB.
//
// ModelStreamInfer works on up to 64 messages of a stream at once and answers
// in their order, with `error_message` where one failed; the client's metadata
// "triton_grpc_error: true" make the first error the status of the stream.
//
// Counted: quaver_grpc_requests_total{method, code} and
// quaver_grpc_request_seconds{method}; of a stream each message.
//
// Thread-safe. Models, repository and metrics outlive it, and it outlives the
// server.
class KserveGrpc {
 public:
  KserveGrpc(const KserveConfig& config, const KserveModels& models,
             const KserveGrpcConfig& grpc, Metrics& metrics);
  ~KserveGrpc();

  grpc::Service& service();

  // Streams end with UNAVAILABLE once what they asked is answered, and new ones
  // are refused.
  void EndStreams();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quaver
