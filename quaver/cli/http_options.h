// What all HTTP ports of quaver serve have in common.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "quaver/net/http_server.h"

namespace quaver {

struct HttpOptions {
  std::string address = "127.0.0.1";
  std::string tls_certificate;  // PEM files of all ports but the metrics'
  std::string tls_key;
  int max_connections = 4'096;  // of each port
  int idle_timeout_secs = 60;

  const char* scheme() const {
    return tls_certificate.empty() ? "http" : "https";
  }
  HttpServerConfig Config(int port) const;
};

void AddHttpOptions(CLI::App& command, HttpOptions& options);

// A connection is an open file, and shells often grant no more than 1,024.
// Raises the process's limit as far as it may.
void AllowOpenFiles();

}  // namespace quaver
