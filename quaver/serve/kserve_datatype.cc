// See kserve_datatype.h.
#include "quaver/serve/kserve_datatype.h"

#include <array>

namespace quaver {
namespace {

struct Names {
  std::string_view name;
  std::string_view config_name;
  size_t size;
};

// In the order of Datatype.
constexpr std::array<Names, 14> kNames = {{
    {"BOOL", "TYPE_BOOL", 1},
    {"UINT8", "TYPE_UINT8", 1},
    {"UINT16", "TYPE_UINT16", 2},
    {"UINT32", "TYPE_UINT32", 4},
    {"UINT64", "TYPE_UINT64", 8},
    {"INT8", "TYPE_INT8", 1},
    {"INT16", "TYPE_INT16", 2},
    {"INT32", "TYPE_INT32", 4},
    {"INT64", "TYPE_INT64", 8},
    {"FP16", "TYPE_FP16", 2},
    {"FP32", "TYPE_FP32", 4},
    {"FP64", "TYPE_FP64", 8},
    {"BF16", "TYPE_BF16", 2},
    {"BYTES", "TYPE_STRING", 0},
}};
static_assert(kNames.size() == static_cast<size_t>(Datatype::kBytes) + 1);

const Names& NamesOf(Datatype datatype) {
  return kNames[static_cast<size_t>(datatype)];
}

}  // namespace

std::string_view DatatypeName(Datatype datatype) {
  return NamesOf(datatype).name;
}

std::string_view ConfigTypeName(Datatype datatype) {
  return NamesOf(datatype).config_name;
}

std::optional<Datatype> DatatypeOf(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i].name == name) return static_cast<Datatype>(i);
  }
  return std::nullopt;
}

size_t DatatypeSize(Datatype datatype) { return NamesOf(datatype).size; }

}  // namespace quaver
