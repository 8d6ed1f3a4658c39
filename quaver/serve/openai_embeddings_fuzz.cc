// Fuzzes what reads the body of a request for embeddings.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quaver/base/check.h"
#include "quaver/serve/openai_embeddings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto request = quaver::ParseEmbeddingRequest(
      std::string_view(reinterpret_cast<const char*>(data), size));
  if (!request.ok()) return 0;
  QUAVER_CHECK(!request->texts.empty());
  QUAVER_CHECK(request->texts.size() <= quaver::kMaxEmbeddingInputs);
  QUAVER_CHECK(request->dimensions >= 0);
  return 0;
}
