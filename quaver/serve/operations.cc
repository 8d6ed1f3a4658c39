// See operations.h.
#include "quaver/serve/operations.h"

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include <nlohmann/json.hpp>

#include "quaver/base/clock.h"
#include "quaver/base/log.h"
#include "quaver/base/machine_usage.h"
#include "quaver/base/mutex.h"
#include "quaver/base/process_usage.h"
#include "quaver/net/static_files.h"
#include "quaver/serve/internal/dashboard_files.h"
#include "quaver/serve/internal/latency_bounds.h"

namespace quaver {
namespace {

// Keeps the handles: asking the registry for a series takes longer.
class RequestMetrics {
 public:
  explicit RequestMetrics(Metrics& metrics) : metrics_(metrics) {}

  void Observe(const HttpRequest& request, int status, double seconds)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    // One series for all that matched nothing, whatever was asked for.
    const std::string route = request.route.empty() ? "none" : request.route;
    const MutexLock lock(&mutex_);
    Requests(route, request.method, status).Increment();
    Seconds(route).Observe(seconds);
  }

 private:
  using Key = std::tuple<std::string, std::string, int>;

  Counter Requests(const std::string& route, const std::string& method,
                   int status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto [entry, is_new] =
        requests_.try_emplace(Key(route, method, status));
    if (is_new) {
      entry->second = metrics_.AddCounter("quaver_http_requests_total",
                                          "Requests answered by a route.",
                                          {{"route", route},
                                           {"method", method},
                                           {"code", std::to_string(status)}});
    }
    return entry->second;
  }

  Histogram Seconds(const std::string& route)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto [entry, is_new] = seconds_.try_emplace(route);
    if (is_new) {
      entry->second = metrics_.AddHistogram(
          "quaver_http_request_seconds",
          "From the last byte of a request to its answer.", kLatencyBounds,
          {{"route", route}});
    }
    return entry->second;
  }

  Metrics& metrics_;
  Mutex mutex_;
  std::map<Key, Counter> requests_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Histogram> seconds_ ABSL_GUARDED_BY(mutex_);
};

// Counters of the system are set, not counted: gauges to the library.
class ProcessMetrics {
 public:
  explicit ProcessMetrics(Metrics& metrics)
      : cpu_(metrics.AddGauge("process_cpu_seconds_total",
                              "Of all threads, user and system.")),
        resident_(metrics.AddGauge("process_resident_memory_bytes",
                                   "Memory that is in RAM.")),
        files_(metrics.AddGauge("process_open_fds", "Descriptors in use.")),
        throttled_(metrics.AddGauge(
            "quaver_cpu_throttled_seconds_total",
            "How long the cgroup's CPU quota kept its processes waiting.")) {}

  void Update() const {
    const ProcessUsage usage = ReadProcessUsage();
    cpu_.Set(usage.cpu_seconds);
    resident_.Set(static_cast<double>(usage.resident_bytes));
    files_.Set(static_cast<double>(usage.open_files));
    throttled_.Set(usage.throttled_seconds);
  }

 private:
  Gauge cpu_, resident_, files_, throttled_;
};

// Triton's metrics of the machine. Thread-safe.
class MachineMetrics {
 public:
  explicit MachineMetrics(Metrics& metrics)
      : utilization_(metrics.AddGauge(
            "nv_cpu_utilization",
            "Share of the machine's cores in use since the reading before, "
            "0 to 1.")),
        total_(metrics.AddGauge("nv_cpu_memory_total_bytes",
                                "The machine's memory.")),
        used_(metrics.AddGauge("nv_cpu_memory_used_bytes",
                               "The machine's memory in use.")) {}

  void Update() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    const MachineUsage now = ReadMachineUsage();
    total_.Set(static_cast<double>(now.total_bytes));
    used_.Set(static_cast<double>(now.used_bytes));
    if (now.all_ticks <= before_.all_ticks) return;
    utilization_.Set(static_cast<double>(now.busy_ticks - before_.busy_ticks) /
                     static_cast<double>(now.all_ticks - before_.all_ticks));
    before_ = now;
  }

 private:
  const Gauge utilization_, total_, used_;
  Mutex mutex_;
  MachineUsage before_ ABSL_GUARDED_BY(mutex_) = ReadMachineUsage();
};

HttpResponse StatusJson(const std::string& status) {
  HttpResponse response;
  response.headers.emplace_back("Cache-Control", "no-store");
  response.body = nlohmann::json({{"status", status}}).dump() + "\n";
  return response;
}

HttpResponse Ready(const std::function<absl::Status()>& ready) {
  const absl::Status status = ready ? ready() : absl::OkStatus();
  if (status.ok()) return StatusJson("ready");
  return ErrorResponse(503, "not ready: " + Message(status));
}

// Paths arrive percent-encoded, so a line stays a line.
void LogAccess(const HttpRequest& request, const HttpResponse& response,
               double seconds) {
  Log(LogLevel::kInfo,
      fmt::format("{} {} {} {} {} bytes {:.1f} ms", request.remote,
                  request.method, request.path, response.status,
                  response.body.size(), seconds * 1e3),
      {{"method", request.method},
       {"route", request.route},
       {"status", response.status},
       {"seconds", seconds},
       {"bytes", response.body.size()},
       {"remote", request.remote}});
}

}  // namespace

void CountRequests(Router& router, bool access_log, Metrics& metrics) {
  router.AddHook([requests = std::make_shared<RequestMetrics>(metrics),
                  access_log](const HttpRequest& request,
                              HttpResponse& response) {
    const double seconds =
        static_cast<double>(Clock::Real().NowUs() - request.received_us) * 1e-6;
    requests->Observe(request, response.status, seconds);
    if (access_log) LogAccess(request, response, seconds);
  });
}

void RegisterOperations(Router& router, const OperationsConfig& config,
                        Metrics& metrics) {
  const ProcessMetrics process(metrics);
  const auto machine = std::make_shared<MachineMetrics>(metrics);
  router.Add("GET", "/health/live",
             [](const HttpRequest&) { return StatusJson("live"); });
  router.Add(
      "GET", "/health/ready",
      [ready = config.ready](const HttpRequest&) { return Ready(ready); });
  router.Add("GET", "/metrics",
             [&metrics, process, machine](const HttpRequest&) {
               process.Update();
               machine->Update();
               return HttpResponse{
                   .status = 200,
                   .content_type = "text/plain; version=0.0.4; charset=utf-8",
                   .headers = {{"Cache-Control", "no-store"}},
                   .body = metrics.Expose()};
             });
  CountRequests(router, config.access_log, metrics);
}

void RegisterDashboard(Router& router) {
  AddStaticFiles(router, DashboardFiles(), [](std::string_view name) {
    return name == "index.html" ? std::string("/")
                                : "/dashboard/" + std::string(name);
  });
}

std::function<void(int status)> CountRefusals(Metrics& metrics) {
  return [&metrics](int status) {
    metrics
        .AddCounter("quaver_http_refused_total",
                    "Answers given before a request reached its route.",
                    {{"code", std::to_string(status)}})
        .Increment();
  };
}

}  // namespace quaver
