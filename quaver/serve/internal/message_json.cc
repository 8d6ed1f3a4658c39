// See message_json.h.
#include "quaver/serve/internal/message_json.h"

#include <cmath>
#include <map>
#include <string>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include "quaver/base/check.h"

namespace quaver {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Json = nlohmann::ordered_json;

// Protobuf's words for what is no JSON number.
Json FloatJson(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

// The value of a field, or of its element `index`.
Json ValueJson(const Message& message, const FieldDescriptor* field,
               int index = -1) {
  const auto* of = message.GetReflection();
  const bool one = index < 0;
  const auto get = [&](auto single, auto repeated) {
    return one ? (of->*single)(message, field)
               : (of->*repeated)(message, field, index);
  };
  using Of = google::protobuf::Reflection;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return get(&Of::GetInt32, &Of::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return get(&Of::GetInt64, &Of::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return get(&Of::GetUInt32, &Of::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return get(&Of::GetUInt64, &Of::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return FloatJson(get(&Of::GetDouble, &Of::GetRepeatedDouble));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return FloatJson(
          static_cast<double>(get(&Of::GetFloat, &Of::GetRepeatedFloat)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return get(&Of::GetBool, &Of::GetRepeatedBool);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = get(&Of::GetEnumValue, &Of::GetRepeatedEnumValue);
      const auto* value = field->enum_type()->FindValueByNumber(number);
      return value == nullptr ? Json(number) : Json(value->name());
    }
    case FieldDescriptor::CPPTYPE_STRING:
      QUAVER_CHECK(field->type() == FieldDescriptor::TYPE_STRING);
      return get(&Of::GetString, &Of::GetRepeatedString);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageJson(one ? of->GetMessage(message, field)
                             : of->GetRepeatedMessage(message, field, index));
  }
  return Json();
}

// Keys in their order, as protobuf's own is none.
Json MapJson(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  const auto* key = field->message_type()->map_key();
  const auto* value = field->message_type()->map_value();
  std::map<std::string, Json> sorted;
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    const Message& entry = reflection->GetRepeatedMessage(message, field, i);
    const Json name = ValueJson(entry, key);
    sorted.emplace(name.is_string() ? name.get<std::string>() : name.dump(),
                   ValueJson(entry, value));
  }
  Json json = Json::object();
  for (auto& [name, of] : sorted) json[name] = std::move(of);
  return json;
}

}  // namespace

Json MessageJson(const Message& message) {
  Json json = Json::object();
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (field->is_map()) {
      json[field->name()] = MapJson(message, field);
    } else if (field->is_repeated()) {
      Json& list = json[field->name()] = Json::array();
      for (int at = 0; at < reflection->FieldSize(message, field); ++at) {
        list.push_back(ValueJson(message, field, at));
      }
    } else if (!field->has_presence() || reflection->HasField(message, field)) {
      json[field->name()] = ValueJson(message, field);
    }
  }
  return json;
}

}  // namespace quaver
