// One request to a model from its bytes to its answer, timed and counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"

#include "quaver/base/clock.h"
#include "quaver/base/status.h"
#include "quaver/net/http.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/kserve_request.h"

namespace quaver {

// What a protocol knows of a call besides the request's own words.
struct InferCaller {
  int64_t received_us = 0;       // of the clock, when the request was complete
  int64_t deadline_us = kNever;  // of the clock; useless later
  // Set when nobody wants the answer any more; null: nobody says.
  const std::atomic<bool>* cancelled = nullptr;
};

// The inputs that it gives have the servable's shapes.
using ReadInferRequest = absl::FunctionRef<absl::StatusOr<InferRequest>()>;
using WriteInferAnswer = absl::FunctionRef<absl::Status(
    const InferRequest&, const Tensors& outputs)>;

// Reads, asks the model, writes, and counts in the model's statistics how that
// went. A request that is late or cancelled before the model is asked is
// refused. Blocks. Of every protocol.
//
// Late is what passes the caller's deadline or the request's timeout, whichever
// is earlier. Where the model has a queue policy, the timeout is for that alone
// (batching.h): it may delay the request instead, or take no notice of it.
absl::StatusOr<InferTimes> RunInfer(KserveModel& model,
                                    const InferCaller& caller,
                                    ReadInferRequest read,
                                    WriteInferAnswer write,
                                    const Clock& clock = Clock::Real());

// One model asked by another of this server: tensors in the servable's shapes,
// counted in the statistics of the one that is asked. Blocks.
absl::StatusOr<Tensors> InferCounted(KserveModel& model, const Tensors& request,
                                     const CallOptions& options,
                                     CallTimes* times,
                                     const Clock& clock = Clock::Real());

// Counts a request whose answer was made otherwise, as these do. `times`: of a
// failure the total alone. `in_model`: what failed was the model.
void CountInfer(ModelStatistics& statistics, const absl::Status& status,
                const InferTimes& times, int64_t batch_size = 1,
                bool in_model = true);

// X-Total-Time, X-Queue-Time and X-Inference-Time, in milliseconds: what the
// answer of a model carries.
std::vector<std::pair<std::string, std::string>> TimingFields(
    const InferTimes& times);

// How a protocol over HTTP puts a question and an answer.
struct InferProtocol {
  // The inputs have the servable's shapes.
  std::function<absl::StatusOr<InferRequest>()> read;
  std::function<absl::StatusOr<HttpResponse>(const InferRequest&,
                                             const Tensors& outputs)>
      write;
  std::function<HttpResponse(const absl::Status&)> write_error;
};

// RunInfer for HTTP. The answer of a model carries TimingFields.
HttpResponse CallModel(KserveModel& model, const HttpRequest& request,
                       const InferProtocol& protocol,
                       const Clock& clock = Clock::Real());

}  // namespace quaver
