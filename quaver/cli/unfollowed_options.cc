// See unfollowed_options.h.
#include "quaver/cli/unfollowed_options.h"

#include "quaver/base/log.h"

namespace quaver {
namespace {

constexpr const char* kUnfollowed[] = {"--allow-client-shm",
                                       "--allow-cpu-metrics",
                                       "--allow-gpu-metrics",
                                       "--allow-vertex-ai",
                                       "--backend-directory",
                                       "--buffer-manager-thread-count",
                                       "--cache-directory",
                                       "--cuda-memory-pool-byte-size",
                                       "--cuda-virtual-address-size",
                                       "--enable-peer-access",
                                       "--grpc-header-forward-pattern",
                                       "--grpc-infer-allocation-pool-size",
                                       "--grpc-infer-thread-count",
                                       "--grpc-max-response-pool-size",
                                       "--http-header-forward-pattern",
                                       "--http-thread-count",
                                       "--log-file",
                                       "--metrics-config",
                                       "--metrics-interval-ms",
                                       "--min-supported-compute-capability",
                                       "--model-load-gpu-limit",
                                       "--model-namespacing",
                                       "--pinned-memory-pool-byte-size",
                                       "--rate-limit",
                                       "--rate-limit-resource",
                                       "--repoagent-directory",
                                       "--response-cache-byte-size",
                                       "--reuse-grpc-port",
                                       "--reuse-http-port",
                                       "--trace-config",
                                       "--trace-count",
                                       "--trace-file",
                                       "--trace-level",
                                       "--trace-log-frequency",
                                       "--trace-rate"};

constexpr const char* kRefused[] = {"--grpc-restricted-protocol",
                                    "--http-restricted-api"};

using Values = std::vector<std::string>;

}  // namespace

void AddUnfollowedOptions(CLI::App& command, std::vector<std::string>& given) {
  const auto add = [&](const std::string& name, auto taken) {
    return command.add_option_function<Values>(name, std::move(taken))
        ->expected(0, 1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  for (const std::string name : kUnfollowed) {
    add(name, [&given, name](const Values&) {
      given.push_back(name);
    })->group("Taken from tools that give them to Triton, and not followed");
  }
  for (const std::string name : kRefused) {
    add(name, [name](const Values&) {
      throw CLI::ValidationError(
          name,
          "no call can be restricted here: leave the option out, and keep "
          "callers out by the address (--http-address, --grpc-address) or a "
          "proxy");
    })->group("");
  }
}

void WarnOfUnfollowed(const std::vector<std::string>& given) {
  for (const std::string& name : given) {
    LogWarning("{} is not followed: it has no effect here", name);
  }
}

}  // namespace quaver
