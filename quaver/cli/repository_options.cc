// See repository_options.h.
#include "quaver/cli/repository_options.h"

#include <charconv>
#include <map>
#include <string_view>
#include <utility>

#include "quaver/base/log.h"
#include "quaver/cli/backends.h"
#include "quaver/cli/bool_option.h"

namespace quaver {
namespace {

constexpr int kMaxCore = 1 << 16;
const std::map<std::string, ModelControl> kControls = {
    {"none", ModelControl::kNone},
    {"poll", ModelControl::kPoll},
    {"explicit", ModelControl::kExplicit}};

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number >= 0;
}

absl::Status Invalid(const char* option, std::string_view text,
                     std::string_view expected) {
  return absl::InvalidArgumentError(
      fmt::format("{} '{}': expected {}", option, text, expected));
}

// "0-3" or "2".
bool AddCores(std::string_view range, std::vector<int>& cores) {
  const auto ends = Split(range, '-');
  int first = 0;
  int last = 0;
  if (ends.size() > 2 || !ParseNumber(ends.front(), first) ||
      !ParseNumber(ends.back(), last) || first > last || last > kMaxCore) {
    return false;
  }
  for (int core = first; core <= last; ++core) cores.push_back(core);
  return true;
}

// "<name>,cpu-cores=<range>[,<range>]" or "<name>,numa-node=<n>". Memory is
// where the core that touches it first is, so that a node has no effect.
absl::Status ReadHostPolicy(const std::string& text,
                            std::map<std::string, std::vector<int>>& policies) {
  const auto parts = Split(text, ',');
  const size_t equals = parts.size() > 1 ? parts[1].find('=') : 0;
  const std::string_view key =
      parts.size() > 1 ? parts[1].substr(0, equals) : "";
  const char* expected = "<name>,cpu-cores=<first>-<last>";
  if (parts[0].empty() || equals == std::string_view::npos ||
      (key != "cpu-cores" && key != "numa-node")) {
    return Invalid("--host-policy", text, expected);
  }
  if (key == "numa-node") {
    LogWarning("--host-policy {}: nodes are not followed, cpu-cores are", text);
    return absl::OkStatus();
  }
  std::vector<int>& cores = policies[std::string(parts[0])];
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::string_view range =
        i == 1 ? parts[1].substr(equals + 1) : parts[i];
    if (!AddCores(range, cores)) {
      return Invalid("--host-policy", text, expected);
    }
  }
  return absl::OkStatus();
}

// "local,size=<bytes>".
absl::Status ReadCacheConfig(const std::string& text, size_t& bytes) {
  constexpr std::string_view kSize = "size=";
  const auto parts = Split(text, ',');
  if (parts.size() == 2 && parts[0] == "local" && parts[1].starts_with(kSize) &&
      ParseNumber(parts[1].substr(kSize.size()), bytes)) {
    return absl::OkStatus();
  }
  return Invalid("--cache-config", text, "local,size=<bytes>");
}

}  // namespace

void AddRepositoryOptions(CLI::App& command, RepositoryOptions& options) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help);
  };
  add("--model-repository,--model-store", options.folders,
      "Folder of models; may be given several times");
  add("--model-control-mode", options.control_mode,
      "none: all models at the start; poll: all, and what changes; explicit: "
      "what is asked for")
      ->check(CLI::IsMember(kControls))
      ->capture_default_str();
  add("--load-model", options.load_models,
      "At the start, in mode explicit; *: all; may be given several times");
  add("--repository-poll-secs", options.poll_secs,
      "Between two looks for changes, in mode poll")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  AddBoolOption(command, "--exit-on-error", options.exit_on_error,
                "Exit when a model fails to load at the start");
  AddBoolOption(command, "--strict-readiness", options.strict_readiness,
                "Be ready once all models are");
  AddBoolOption(command, "--disable-auto-complete-config",
                options.disable_auto_complete,
                "Models need a config.pbtxt that says all");
  AddBoolOption(command, "--strict-model-config", options.strict_model_config,
                "The same, by its former name");
  add("--model-load-thread-count", options.load_threads,
      "Models loaded at once at the start")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  add("--model-load-retry-count", options.load_retries,
      "How often a load that failed is tried again")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  add("--model-config-name", options.config_name,
      "Of configs/<name>.pbtxt, in place of config.pbtxt where it is there");
  add("--host-policy", options.host_policies,
      "<name>,cpu-cores=<first>-<last>: cores of instance groups that name it");
  add("--cache-config", options.cache_configs,
      "local,size=<bytes>: answers kept, of the search bar's models and of "
      "those with response_cache");
  add("--backend-config", options.backend_configs,
      "Taken from tools that give it, and not followed");
}

absl::StatusOr<std::shared_ptr<ResponseCache>> MakeCache(
    const RepositoryOptions& options) {
  size_t bytes = 0;
  for (const std::string& cache : options.cache_configs) {
    RETURN_IF_ERROR(ReadCacheConfig(cache, bytes));
  }
  if (bytes == 0) return nullptr;
  return std::make_shared<ResponseCache>(bytes);
}

absl::StatusOr<std::unique_ptr<ModelRepository>> OpenRepository(
    const RepositoryOptions& options, std::shared_ptr<ResponseCache> cache,
    KserveModels& models) {
  for (const std::string& backend : options.backend_configs) {
    LogWarning("--backend-config {} is not followed: a model's parameters are",
               backend);
  }
  ModelRepositoryConfig config;
  config.folders = options.folders;
  config.control = kControls.at(options.control_mode);
  config.load_models = options.load_models;
  config.poll_us = int64_t{1'000'000} * options.poll_secs;
  config.auto_complete =
      !options.disable_auto_complete && !options.strict_model_config;
  config.num_load_threads = options.load_threads;
  config.num_load_retries = options.load_retries;
  config.config_name = options.config_name;
  for (const std::string& policy : options.host_policies) {
    RETURN_IF_ERROR(ReadHostPolicy(policy, config.host_policies));
  }
  config.cache = std::move(cache);
  return ModelRepository::Open(std::move(config), MakeBackends(models), models);
}

absl::Status StartRepository(const RepositoryOptions& options,
                             ModelRepository& repository) {
  const absl::Status status = repository.Start();
  if (status.ok() || options.exit_on_error) return status;
  LogWarning("serving without the models that failed to load");
  return absl::OkStatus();
}

}  // namespace quaver
