// What must hold for any bytes as index.json: run by fuzzer and tests.
#pragma once

#include <string>
#include <string_view>

namespace quaver {

// They must be refused, or give a manifest that is the same when it is written
// and read again. Aborts otherwise; returns the error, "" when it was accepted.
std::string CheckManifest(std::string_view text);

}  // namespace quaver
