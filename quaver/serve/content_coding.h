// Bodies that are compressed on the wire: gzip and deflate.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "quaver/base/status.h"

namespace quaver {

enum class ContentCoding { kIdentity, kGzip, kDeflate };

// "identity", "gzip", "deflate" (RFC 9110: the latter in zlib's format).
std::string_view CodingName(ContentCoding coding);

// Of a Content-Encoding header, in any case; "" is the identity.
// Unimplemented for any other, and for several.
absl::StatusOr<ContentCoding> ParseContentCoding(std::string_view header);

// What an Accept-Encoding header likes best of the three; the first of equals,
// the identity when it names none of them.
ContentCoding AcceptedCoding(std::string_view header);

// OutOfRange for more than `max_bytes` decoded, of which no more are made;
// InvalidArgument for what is damaged, cut short or followed by more.
absl::StatusOr<std::string> DecodeBody(ContentCoding coding,
                                       std::string_view bytes,
                                       size_t max_bytes);

// At the quickest level: about 100 MB/s.
std::string EncodeBody(ContentCoding coding, std::string_view bytes);

}  // namespace quaver
