// See query_encoder.h.
#include "quaver/search/query_encoder.h"

#include <cstring>

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
  std::vector<float> embedding(outputs[0].raw.size() / sizeof(float));
  std::memcpy(embedding.data(), outputs[0].raw.data(),
              embedding.size() * sizeof(float));
  return embedding;
}

}  // namespace quaver
