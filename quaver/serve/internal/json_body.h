// A request's JSON, read by simdjson: the only file that parses with it.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "quaver/base/status.h"

namespace quaver {

// Arrays inside arrays that a value may have. The parser itself stops a little
// deeper, where the objects around a tensor's data are counted too.
constexpr int kMaxNesting = 100;
constexpr size_t kMaxDocumentDepth = kMaxNesting + 8;

// The parser needs up to 9 bytes of memory for one of JSON.
constexpr size_t kMaxJsonBytes = 16 << 20;

absl::Status NestingError();

// Owns the document; the elements that it gives live as long.
class JsonBody {
 public:
  // InvalidArgument for what is no JSON object, too large or nested too deep,
  // and for numbers that no double holds. Integers of more than 64 bits are
  // doubles.
  absl::Status Parse(std::string_view text);
  simdjson::dom::object root() const { return root_; }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::object root_;
};

// An object, or none where it was left out. simdjson's own empty object cannot
// be read.
using JsonObject = std::optional<simdjson::dom::object>;

// A member of the object. InvalidArgument "Unable to parse 'key': ..." when it
// is there and of another type; NotFound when it is not there.
template <typename Value>
absl::StatusOr<Value> Member(const JsonObject& object, std::string_view key) {
  simdjson::dom::element element;
  if (!object || object->at_key(key).get(element) != simdjson::SUCCESS) {
    return absl::NotFoundError(
        fmt::format("Unable to parse '{}': it is missing", key));
  }
  Value value;
  const simdjson::error_code error = element.get(value);
  if (error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(fmt::format(
        "Unable to parse '{}': {}", key, simdjson::error_message(error)));
  }
  return value;
}

// The same, and InvalidArgument when it is not there.
template <typename Value>
absl::StatusOr<Value> NeededMember(const JsonObject& object,
                                   std::string_view key) {
  auto value = Member<Value>(object, key);
  if (absl::IsNotFound(value.status())) {
    return absl::InvalidArgumentError(Message(value.status()));
  }
  return value;
}

// The same, and `otherwise` when it is not there.
template <typename Value>
absl::StatusOr<Value> MemberOr(const JsonObject& object, std::string_view key,
                               Value otherwise) {
  auto value = Member<Value>(object, key);
  if (absl::IsNotFound(value.status())) return otherwise;
  return value;
}

// The same, and nothing when it is not there.
template <typename Value>
absl::StatusOr<std::optional<Value>> OptionalMember(const JsonObject& object,
                                                    std::string_view key) {
  auto value = Member<Value>(object, key);
  if (absl::IsNotFound(value.status())) return std::optional<Value>();
  if (!value.ok()) return value.status();
  return std::optional<Value>(*value);
}

}  // namespace quaver
