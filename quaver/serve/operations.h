// What an operator needs: health, readiness, metrics, the access log.
//
//   RegisterOperations(router, {.ready = [&] { return index.Ready(); }},
//                      metrics);
//   server_config.on_refused = CountRefusals(metrics);
#pragma once

#include <functional>

#include "quaver/base/metrics.h"
#include "quaver/base/status.h"
#include "quaver/net/router.h"

namespace quaver {

struct OperationsConfig {
  // One line a request; in JSON (base/log.h) with "method", "route" ("" where
  // none matched), "status", "seconds", "bytes" of the body and "remote".
  bool access_log = false;
  // Why requests should go elsewhere, OK when they should come. Called often
  // and from many threads. Null: always ready.
  std::function<absl::Status()> ready = nullptr;
};

// Adds a hook that counts and times every request that reached the router:
//   quaver_http_requests_total{route, method, code}
//   quaver_http_request_seconds{route}: from the last byte of the request to
//     the answer, the wait for a handler thread included
// `metrics` must outlive the router. `access_log`: as in OperationsConfig.
void CountRequests(Router& router, bool access_log, Metrics& metrics);

// Adds GET /health/live (200 while the process answers), /health/ready (200 or
// 503 with the reason) and /metrics (Prometheus' text format, and with it
// process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds
// and quaver_cpu_throttled_seconds_total; of the machine nv_cpu_utilization,
// since this router's reading before, nv_cpu_memory_total_bytes and
// nv_cpu_memory_used_bytes), and CountRequests.
void RegisterOperations(Router& router, const OperationsConfig& config,
                        Metrics& metrics);

// Adds GET /, a page that shows what /metrics says of the models, and its files
// under /dashboard/.
void RegisterDashboard(Router& router);

// For HttpServerConfig::on_refused: quaver_http_refused_total{code}, answers
// that the server gave without the router.
std::function<void(int status)> CountRefusals(Metrics& metrics);

}  // namespace quaver
