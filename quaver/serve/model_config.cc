// See model_config.h: from text, and versions.
#include "quaver/serve/model_config.h"

#include <algorithm>

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>

#include "quaver/net/proto/model_config.pb.h"
#include "quaver/serve/internal/message_json.h"
#include "quaver/serve/internal/tensor_data.h"

namespace quaver {
namespace {

// Messages in messages; the deepest of a real configuration are five.
constexpr int kMaxMessageDepth = 32;

// Keeps the first error: those that follow are mostly its consequences.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (!text_.empty()) return;
    // Both count from 0, and -1 stands for the whole text.
    text_ = fmt::format("{}:{}: {}", line + 1, column + 1, message);
  }
  void AddWarning(int, google::protobuf::io::ColumnNumber,
                  const std::string&) override {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Escapes can put any bytes into a string; no client could read them.
bool HasOnlyUtf8(const nlohmann::ordered_json& json) {
  if (json.is_string()) {
    return IsUtf8(json.get_ref<const std::string&>());
  }
  for (const auto& [key, value] : json.items()) {
    if (json.is_object() && !IsUtf8(key)) return false;
    if (value.is_primitive() && !value.is_string()) continue;
    if (!HasOnlyUtf8(value)) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<inference::ModelConfig> ParseConfigText(
    std::string_view text, const std::string& path) {
  inference::ModelConfig config;
  google::protobuf::TextFormat::Parser parser;
  FirstError error;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(kMaxMessageDepth);
  if (!IsUtf8(text)) {
    return absl::InvalidArgumentError(
        fmt::format("failed to read text proto from {}: it is no UTF-8", path));
  }
  if (!parser.ParseFromString(std::string(text), &config)) {
    return absl::InvalidArgumentError(fmt::format(
        "failed to read text proto from {}:{}", path,
        error.text().empty() ? " it is no model configuration" : error.text()));
  }
  if (!HasOnlyUtf8(MessageJson(config))) {
    return absl::InvalidArgumentError(fmt::format(
        "failed to read text proto from {}: a string is no UTF-8", path));
  }
  return config;
}

absl::StatusOr<inference::ModelConfig> ParseConfigJson(std::string_view json) {
  inference::ModelConfig config;
  google::protobuf::util::JsonParseOptions options;
  options.case_insensitive_enum_parsing = true;
  const auto status = google::protobuf::util::JsonStringToMessage(
      std::string(json), &config, options);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("failed to parse the model configuration: {}",
                    std::string(status.message())));
  }
  if (!HasOnlyUtf8(MessageJson(config))) {
    return absl::InvalidArgumentError(
        "failed to parse the model configuration: a string is no UTF-8");
  }
  return config;
}

absl::StatusOr<std::vector<int64_t>> VersionsToServe(
    const VersionPolicy& policy, const std::vector<int64_t>& there) {
  std::vector<int64_t> versions = there;
  std::sort(versions.begin(), versions.end());
  if (policy.kind == VersionPolicy::Kind::kSpecific) {
    std::vector<int64_t> wanted = policy.specific;
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    for (const int64_t version : wanted) {
      if (!std::binary_search(versions.begin(), versions.end(), version)) {
        return absl::NotFoundError(fmt::format(
            "version {} is specified, but its folder is not there", version));
      }
    }
    return wanted;
  }
  if (versions.empty()) {
    return absl::NotFoundError("there is no version folder, such as '1'");
  }
  if (policy.kind == VersionPolicy::Kind::kLatest) {
    const auto num = static_cast<size_t>(policy.num_latest);
    if (versions.size() > num) {
      versions.erase(versions.begin(), versions.end() - policy.num_latest);
    }
  }
  return versions;
}

}  // namespace quaver
