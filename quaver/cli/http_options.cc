// See http_options.h.
#include "quaver/cli/http_options.h"

#include <sys/resource.h>

namespace quaver {
namespace {

constexpr int kMaxConnections = 1'000'000;
constexpr int kMaxIdleSecs = 86'400;

}  // namespace

HttpServerConfig HttpOptions::Config(int port) const {
  HttpServerConfig config{.address = address, .port = port};
  config.max_connections = max_connections;
  config.idle_timeout_ms = 1'000 * idle_timeout_secs;
  config.tls_certificate = tls_certificate;
  config.tls_key = tls_key;
  return config;
}

void AddHttpOptions(CLI::App& command, HttpOptions& options) {
  command.add_option("--address", options.address, "To listen on")
      ->capture_default_str();
  auto* certificate =
      command.add_option("--tls-cert", options.tls_certificate,
                         "PEM file with the certificate of the HTTP ports");
  auto* key =
      command.add_option("--tls-key", options.tls_key, "PEM file with its key");
  certificate->needs(key);
  key->needs(certificate);
  command
      .add_option("--max-connections", options.max_connections,
                  "Of each HTTP port; more wait to be accepted")
      ->check(CLI::Range(1, kMaxConnections))
      ->capture_default_str();
  command
      .add_option("--idle-timeout-secs", options.idle_timeout_secs,
                  "Before a connection without requests is closed")
      ->check(CLI::Range(1, kMaxIdleSecs))
      ->capture_default_str();
}

void AllowOpenFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace quaver
