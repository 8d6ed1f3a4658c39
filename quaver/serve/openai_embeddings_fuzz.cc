// Fuzzes what reads the body of a request for embeddings, OpenAI's and TEI's.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quaver/base/check.h"
#include "quaver/serve/internal/embedding_model.h"
#include "quaver/serve/openai_embeddings.h"
#include "quaver/serve/tei_embed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto tei = quaver::ParseTeiRequest(body);
  if (tei.ok()) {
    QUAVER_CHECK(!tei->texts.empty());
    QUAVER_CHECK(tei->texts.size() <= quaver::kMaxEmbeddingInputs);
    QUAVER_CHECK(tei->dimensions >= 0);
  }
  const auto request = quaver::ParseEmbeddingRequest(body);
  if (!request.ok()) return 0;
  QUAVER_CHECK(!request->texts.empty());
  QUAVER_CHECK(request->texts.size() <= quaver::kMaxEmbeddingInputs);
  QUAVER_CHECK(request->dimensions >= 0);
  return 0;
}
