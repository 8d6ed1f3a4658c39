// One request to a model from its bytes to its answer, timed and counted.
#pragma once

#include <functional>

#include "quaver/base/clock.h"
#include "quaver/base/status.h"
#include "quaver/net/http.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/kserve_request.h"

namespace quaver {

// How a protocol puts a question and an answer.
struct InferProtocol {
  // The inputs have the servable's shapes.
  std::function<absl::StatusOr<InferRequest>()> read;
  std::function<absl::StatusOr<HttpResponse>(const InferRequest&,
                                             const Tensors& outputs)>
      write;
  std::function<HttpResponse(const absl::Status&)> write_error;
};

// Reads, asks the model, writes. A request whose time has run out before the
// model is asked is refused. The answer of a model carries X-Total-Time,
// X-Queue-Time and X-Inference-Time, in milliseconds. Blocks.
HttpResponse CallModel(KserveModel& model, const HttpRequest& request,
                       const InferProtocol& protocol,
                       const Clock& clock = Clock::Real());

}  // namespace quaver
