// See request_parameters.h.
#include "quaver/serve/internal/request_parameters.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "quaver/serve/internal/tensor_data.h"

namespace quaver {
namespace {

namespace dom = simdjson::dom;

template <typename Value>
absl::Status ReadValue(const dom::key_value_pair& parameter, Value& value) {
  const simdjson::error_code error = parameter.value.get(value);
  if (error == simdjson::SUCCESS) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("Unable to parse '{}': {}", parameter.key,
                  simdjson::error_message(error)));
}

// The greatest number for what is above it.
template <typename Number>
absl::Status ReadCount(const dom::key_value_pair& parameter, Number& number) {
  uint64_t count = 0;
  RETURN_IF_ERROR(ReadValue(parameter, count));
  number = static_cast<Number>(
      std::min(count, uint64_t{std::numeric_limits<Number>::max()}));
  return absl::OkStatus();
}

absl::Status CheckOwn(const dom::key_value_pair& parameter) {
  if (parameter.key.starts_with("triton_")) {
    return absl::InvalidArgumentError(
        fmt::format("parameter keys starting with 'triton_' are reserved: '{}' "
                    "should not be specified",
                    parameter.key));
  }
  if (parameter.value.is_array() || parameter.value.is_object() ||
      parameter.value.is_null()) {
    return absl::InvalidArgumentError(
        fmt::format("parameter '{}' has invalid type. It should be either a "
                    "number, a bool, or a string.",
                    parameter.key));
  }
  return absl::OkStatus();
}

absl::Status ReadParameter(const dom::key_value_pair& parameter,
                           InferRequest& request) {
  if (parameter.key == "timeout") {
    return ReadCount(parameter, request.timeout_us);
  }
  if (parameter.key == "priority") {
    return ReadCount(parameter, request.priority);
  }
  if (parameter.key == "binary_data_output") {
    return ReadValue(parameter, request.binary_output);
  }
  RETURN_IF_ERROR(CheckOwn(parameter));
  std::string& own = request.parameters;
  own += own.empty() ? '{' : ',';
  AppendJsonString(parameter.key, own);
  own += ':';
  own += simdjson::minify(parameter.value);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadParameters(const JsonMembers& parameters,
                            InferRequest& request) {
  for (const dom::key_value_pair& parameter : parameters) {
    RETURN_IF_ERROR(ReadParameter(parameter, request));
  }
  if (!request.parameters.empty()) request.parameters += '}';
  return absl::OkStatus();
}

}  // namespace quaver
