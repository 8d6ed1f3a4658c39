// Requests at a given rate over HTTP, and what became of them: an open-loop
// load generator.
//
//   LoadConfig load{.port = 8000, .rate = 900, .seconds = 20};
//   load.requests.push_back({"POST", "/v2/models/encoder/infer", body});
//   ASSIGN_OR_RETURN(LoadReport report, RunLoad(load));
//
// Arrivals are a Poisson process. A latency is counted from the moment at which
// the request was due, so that requests which a slow server keeps from being
// sent are slow as well (no coordinated omission: Tene, "How not to measure
// latency").
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/net/http.h"

namespace quaver {

struct LoadRequest {
  std::string method = "POST";
  std::string target;
  std::string body;
  HttpFields headers = {};
};

struct LoadConfig {
  std::string address = "127.0.0.1";  // a number
  int port = 0;
  double rate = 100;          // requests a second
  double seconds = 10;        // that are counted
  double warmup_seconds = 1;  // before them
  int connections = 64;       // requests in flight, at most
  int timeout_ms = 10'000;
  uint64_t seed = 1;
  std::vector<LoadRequest> requests;  // asked in turn
};

struct LoadReport {
  uint64_t sent = 0;
  uint64_t succeeded = 0;                  // status 200
  std::map<int, uint64_t> by_status;       // answers
  std::map<std::string, uint64_t> errors;  // no answer, by the reason
  double achieved_per_s = 0;               // successes
  // Of successes, milliseconds; 0 where there are none.
  double p50_ms = 0, p90_ms = 0, p99_ms = 0, max_ms = 0;
  // How much later than due requests left because all connections were busy or
  // the generator had no core, 99th percentile.
  double late_p99_ms = 0;
};

// Moments of arrival in microseconds, rising from 0 to less than seconds.
std::vector<int64_t> PoissonArrivals(double rate, double seconds,
                                     uint64_t seed);

// Blocks for about warmup_seconds + seconds, and starts a thread a connection.
// InvalidArgument for a config that makes no sense; Unavailable when the server
// takes no connection.
absl::StatusOr<LoadReport> RunLoad(const LoadConfig& config);

}  // namespace quaver
