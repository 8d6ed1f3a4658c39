// See kserve_errors.h.
#include "quaver/serve/kserve_errors.h"

#include <nlohmann/json.hpp>

#include "quaver/base/check.h"

namespace quaver {
namespace {

int KserveStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return 503;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return 500;
    default:
      return 400;
  }
}

}  // namespace

HttpResponse KserveError(int status, std::string_view message) {
  HttpResponse response;
  response.status = status;
  response.body =
      nlohmann::json({{"error", message}})
          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

HttpResponse KserveError(const absl::Status& status) {
  QUAVER_CHECK(!status.ok());
  HttpResponse response =
      KserveError(KserveStatusOf(status.code()), Message(status));
  if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

Router::ErrorWriter KserveRouterErrors() {
  return [](int status, std::string_view message) {
    if (status == 404) message = "Not Found";
    if (status == 405) message = "Method Not Allowed";
    return KserveError(status, message);
  };
}

}  // namespace quaver
