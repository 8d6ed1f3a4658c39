// Fuzzes config.pbtxt: any bytes, as text and as JSON; what is accepted can be
// said and read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "quaver/base/check.h"
#include "quaver/net/proto/model_config.pb.h"
#include "quaver/serve/model_config.h"

namespace quaver {
namespace {

void CheckConfig(const absl::StatusOr<inference::ModelConfig>& source) {
  if (!source.ok()) return;
  const auto config = ReadConfig(*source, "m");
  if (!config.ok()) return;
  const std::string json = ConfigJson(*config).dump();
  const auto again = ParseConfigJson(json);
  QUAVER_CHECK(again.ok());
  const auto same = ReadConfig(*again, "m");
  QUAVER_CHECK(same.ok());
  QUAVER_CHECK(ConfigJson(*same).dump() == json);
}

}  // namespace
}  // namespace quaver

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  quaver::CheckConfig(quaver::ParseConfigText(text, "config.pbtxt"));
  quaver::CheckConfig(quaver::ParseConfigJson(text));
  return 0;
}
