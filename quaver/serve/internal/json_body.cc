// See json_body.h.
#include "quaver/serve/internal/json_body.h"

namespace quaver {

absl::Status NestingError() {
  return absl::InvalidArgumentError(fmt::format(
      "JSON nesting depth exceeds maximum allowed limit ({})", kMaxNesting));
}

absl::Status JsonBody::Parse(std::string_view text) {
  if (text.size() > kMaxJsonBytes) {
    return absl::InvalidArgumentError(
        fmt::format("request JSON size of {} bytes exceeds the maximum allowed "
                    "input size of {} bytes",
                    text.size(), kMaxJsonBytes));
  }
  simdjson::error_code error = parser_.allocate(text.size(), kMaxDocumentDepth);
  simdjson::dom::element element;
  if (error == simdjson::SUCCESS) {
    error = parser_.parse(text.data(), text.size()).get(element);
  }
  if (error == simdjson::DEPTH_ERROR) return NestingError();
  if (error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(
        fmt::format("failed to parse the request JSON: {}",
                    simdjson::error_message(error)));
  }
  if (element.get(root_) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("the request JSON is not an object");
  }
  return absl::OkStatus();
}

}  // namespace quaver
