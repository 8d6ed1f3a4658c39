// Rows of tab-separated files, small enough to be read whole.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

// Calls `visit` for every line with its columns (no quoting, CR before LF
// dropped, empty lines left out). Stops at the first error and returns it with
// "path:line" before it. NotFound when the file is absent.
absl::Status ForEachRow(
    const std::string& path,
    const std::function<
        absl::Status(const std::vector<std::string_view>& columns)>& visit);

// The same for a file with a heading: `visit` gets the values of the columns
// that `names` lists, in that order; "" where a row is short.
// InvalidArgument, listing the heading, when it lacks one of them.
absl::Status ForEachNamedRow(
    const std::string& path, const std::vector<std::string>& names,
    const std::function<
        absl::Status(const std::vector<std::string_view>& values)>& visit);

// InvalidArgument naming the text when it is not a finite number.
absl::StatusOr<double> ParseNumber(std::string_view text);

}  // namespace quaver
