// Fuzzes the decompression of bodies, and the headers that name codings.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quaver/base/check.h"
#include "quaver/serve/content_coding.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using quaver::ContentCoding;
  constexpr size_t kMaxBytes = 1 << 20;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto coding : {ContentCoding::kGzip, ContentCoding::kDeflate}) {
    const auto decoded = quaver::DecodeBody(coding, bytes, kMaxBytes);
    if (!decoded.ok()) continue;
    QUAVER_CHECK(decoded->size() <= kMaxBytes);
    const auto again = quaver::DecodeBody(
        coding, quaver::EncodeBody(coding, *decoded), kMaxBytes);
    QUAVER_CHECK(again.ok() && *again == *decoded);
  }
  (void)quaver::AcceptedCoding(bytes);
  (void)quaver::ParseContentCoding(bytes);
  return 0;
}
