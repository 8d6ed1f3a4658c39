// See http.h.
#include "quaver/net/http.h"

#include <nlohmann/json.hpp>

#include "quaver/base/check.h"

namespace quaver {

const std::string* FindField(const HttpFields& fields, std::string_view name) {
  for (const auto& [field, value] : fields) {
    if (field == name) return &value;
  }
  return nullptr;
}

std::string_view HttpRequest::header(std::string_view name) const {
  const std::string* value = FindField(headers, name);
  return value == nullptr ? std::string_view() : *value;
}

int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:  // a full disk or queue
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:  // kUnknown, kInternal, kDataLoss
      return 500;
  }
}

HttpResponse ErrorResponse(int status, std::string_view message,
                           std::string_view field) {
  nlohmann::ordered_json json = {{"error", message}, {"status", status}};
  if (!field.empty()) json["field"] = field;
  HttpResponse response;
  response.status = status;
  response.body =
      json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
      "\n";
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse ErrorResponse(const absl::Status& status, std::string_view field) {
  QUAVER_CHECK(!status.ok());
  return ErrorResponse(HttpStatusOf(status.code()), Message(status), field);
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace quaver
