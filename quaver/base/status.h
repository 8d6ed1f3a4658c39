// Status macros and helpers over Abseil's Status and StatusOr.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include <fmt/format.h>

namespace quaver {

// Debian's absl::string_view is not std::string_view: this copies.
inline std::string Message(const absl::Status& status) {
  return std::string(status.message());
}

// The same code, with `what` and a colon before the message.
inline absl::Status Annotate(const absl::Status& status,
                             const std::string& what) {
  if (status.ok()) return status;
  return {status.code(), fmt::format("{}: {}", what, Message(status))};
}

}  // namespace quaver

#define QUAVER_CONCAT_INNER(a, b) a##b
#define QUAVER_CONCAT(a, b) QUAVER_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` is not OK.
#define RETURN_IF_ERROR(expr)                      \
  do {                                             \
    absl::Status quaver_status = (expr);           \
    if (!quaver_status.ok()) return quaver_status; \
  } while (false)

// ASSIGN_OR_RETURN(auto x, F()): declares or assigns, or returns the error.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL(QUAVER_CONCAT(quaver_or_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_IMPL(result, lhs, expr) \
  auto result = (expr);                          \
  if (!result.ok()) return result.status();      \
  lhs = std::move(result).value()
