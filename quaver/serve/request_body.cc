// See request_body.h.
#include "quaver/serve/request_body.h"

#include <algorithm>
#include <utility>

#include "quaver/serve/content_coding.h"

namespace quaver {
namespace {

// A shorter body fits one packet anyway.
constexpr size_t kMinEncodedBytes = 1024;

}  // namespace

BodyReader::BodyReader(size_t max_bytes)
    : max_bytes_(max_bytes),
      large_({.num_instances = kNumLarge, .max_waiting = kMaxWaiting}) {}

absl::StatusOr<RequestBody> BodyReader::Open(const HttpRequest& request) {
  ASSIGN_OR_RETURN(const ContentCoding coding,
                   ParseContentCoding(request.header("content-encoding")));
  RequestBody body;
  body.sent_ = request.body;
  const bool is_coded = coding != ContentCoding::kIdentity;
  if (is_coded) {
    auto decoded =
        DecodeBody(coding, request.body, std::min(kSmallBytes, max_bytes_));
    if (decoded.ok()) {
      body.decoded_ = std::make_unique<std::string>(*std::move(decoded));
      return body;
    }
    if (!absl::IsOutOfRange(decoded.status())) return decoded.status();
  } else if (body.sent_.size() <= kSmallBytes) {
    return body;
  }
  ASSIGN_OR_RETURN(InstancePool::Lease lease, large_.Acquire());
  body.lease_.emplace(std::move(lease));
  if (is_coded) {
    ASSIGN_OR_RETURN(std::string decoded,
                     DecodeBody(coding, request.body, max_bytes_));
    body.decoded_ = std::make_unique<std::string>(std::move(decoded));
  }
  return body;
}

void EncodeResponse(const HttpRequest& request, HttpResponse& response) {
  if (response.body.size() < kMinEncodedBytes) return;
  const ContentCoding coding =
      AcceptedCoding(request.header("accept-encoding"));
  if (coding == ContentCoding::kIdentity) return;
  std::string encoded = EncodeBody(coding, response.body);
  if (encoded.size() >= response.body.size()) return;
  response.body = std::move(encoded);
  response.headers.emplace_back("Content-Encoding",
                                std::string(CodingName(coding)));
  response.headers.emplace_back("Vary", "Accept-Encoding");
}

}  // namespace quaver
