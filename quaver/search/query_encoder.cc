// See query_encoder.h.
#include "quaver/search/query_encoder.h"

#include "quaver/sched/tensors.h"

namespace quaver {

absl::StatusOr<std::vector<float>> EmbedQuery(Servable& encoder,
                                              const std::string& text,
                                              const CallOptions& call) {
  const Tensor input{.name = "TEXT",
                     .datatype = Datatype::kBytes,
                     .shape = {1},
                     .strings = {text},
                     .raw = {}};
  ASSIGN_OR_RETURN(const Tensors outputs,
                   encoder.Infer({input}, call, nullptr));
  if (outputs.empty() || outputs[0].datatype != Datatype::kFp32) {
    return absl::InternalError("the encoder did not answer an fp32 tensor");
  }
  return ValuesOf<float>(outputs[0]);
}

}  // namespace quaver
