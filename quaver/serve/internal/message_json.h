// Protobuf messages as JSON with every field, numbers as numbers.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace google::protobuf {
class Message;
}

namespace quaver {

// Fields in the order of their declaration, under their own names, with enums
// by name and maps by key. Only messages and members of oneofs that are not set
// are left out. Protobuf's own writer puts 64-bit integers in quotes, which
// Triton's clients do not expect. `bytes` are not supported.
nlohmann::ordered_json MessageJson(const google::protobuf::Message& message);

}  // namespace quaver
