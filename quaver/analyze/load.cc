// See load.h.
#include "quaver/analyze/load.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "quaver/base/clock.h"
#include "quaver/net/http_client.h"

namespace quaver {
namespace {

// What one connection saw.
struct Seen {
  uint64_t sent = 0;
  std::map<int, uint64_t> by_status;
  std::map<std::string, uint64_t> errors;
  std::vector<double> success_ms;
  std::vector<double> late_ms;
};

absl::Status Check(const LoadConfig& config) {
  if (config.requests.empty()) {
    return absl::InvalidArgumentError("there is no request to send");
  }
  if (!(config.rate > 0) || !(config.seconds > 0) ||
      !(config.warmup_seconds >= 0) || config.connections <= 0) {
    return absl::InvalidArgumentError(
        "rate, seconds and connections must be greater than 0");
  }
  if (config.rate * (config.seconds + config.warmup_seconds) > 1e8) {
    return absl::InvalidArgumentError("more than a hundred million requests");
  }
  return absl::OkStatus();
}

class Load {
 public:
  explicit Load(const LoadConfig& config)
      : config_(config),
        arrivals_(PoissonArrivals(
            config.rate, config.warmup_seconds + config.seconds, config.seed)) {
  }

  absl::Status Connect() {
    for (int i = 0; i < config_.connections; ++i) {
      ASSIGN_OR_RETURN(auto client,
                       HttpClient::Connect(config_.address, config_.port,
                                           config_.timeout_ms));
      clients_.push_back(std::move(client));
    }
    return absl::OkStatus();
  }

  std::vector<Seen> Run() {
    std::vector<Seen> seen(clients_.size());
    std::vector<std::thread> threads;
    begin_us_ = Clock::Real().NowUs();
    for (size_t i = 0; i < clients_.size(); ++i) {
      threads.emplace_back([this, i, &seen] { Serve(clients_[i], seen[i]); });
    }
    for (std::thread& thread : threads) thread.join();
    return seen;
  }

 private:
  // Takes one arrival after the other until none is left.
  void Serve(std::unique_ptr<HttpClient>& client, Seen& seen) {
    while (true) {
      const size_t i = next_.fetch_add(1);
      if (i >= arrivals_.size()) return;
      const int64_t due_us = begin_us_ + arrivals_[i];
      const int64_t ahead_us = due_us - Clock::Real().NowUs();
      if (ahead_us > 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(ahead_us));
      }
      const int64_t left_us = Clock::Real().NowUs();
      auto answer = Ask(client, config_.requests[i % config_.requests.size()]);
      const int64_t done_us = Clock::Real().NowUs();
      if (static_cast<double>(arrivals_[i]) < 1e6 * config_.warmup_seconds) {
        continue;
      }
      ++seen.sent;
      seen.late_ms.push_back(static_cast<double>(left_us - due_us) * 1e-3);
      if (!answer.ok()) {
        ++seen.errors[Message(answer.status())];
        continue;
      }
      ++seen.by_status[answer->status];
      if (answer->status == 200) {
        seen.success_ms.push_back(static_cast<double>(done_us - due_us) * 1e-3);
      }
    }
  }

  absl::StatusOr<HttpResponse> Ask(std::unique_ptr<HttpClient>& client,
                                   const LoadRequest& request) {
    if (client == nullptr) {
      ASSIGN_OR_RETURN(client,
                       HttpClient::Connect(config_.address, config_.port,
                                           config_.timeout_ms));
    }
    auto answer = client->Send(request.method, request.target, request.headers,
                               request.body);
    if (!answer.ok()) client.reset();
    return answer;
  }

  const LoadConfig& config_;
  const std::vector<int64_t> arrivals_;
  std::vector<std::unique_ptr<HttpClient>> clients_;
  std::atomic<size_t> next_ = 0;
  int64_t begin_us_ = 0;
};

// The smallest value that so many of all are not above. Sorts.
double Quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const auto rank =
      static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
  const auto place = values.begin() + static_cast<ptrdiff_t>(rank) - 1;
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

}  // namespace

std::vector<int64_t> PoissonArrivals(double rate, double seconds,
                                     uint64_t seed) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> gap(rate);
  std::vector<int64_t> arrivals;
  for (double at = gap(random); at < seconds; at += gap(random)) {
    arrivals.push_back(static_cast<int64_t>(1e6 * at));
  }
  return arrivals;
}

absl::StatusOr<LoadReport> RunLoad(const LoadConfig& config) {
  RETURN_IF_ERROR(Check(config));
  Load load(config);
  RETURN_IF_ERROR(load.Connect());
  LoadReport report;
  std::vector<double> success_ms;
  std::vector<double> late_ms;
  for (Seen& seen : load.Run()) {
    report.sent += seen.sent;
    for (const auto& [status, count] : seen.by_status) {
      report.by_status[status] += count;
    }
    for (const auto& [reason, count] : seen.errors) {
      report.errors[reason] += count;
    }
    success_ms.insert(success_ms.end(), seen.success_ms.begin(),
                      seen.success_ms.end());
    late_ms.insert(late_ms.end(), seen.late_ms.begin(), seen.late_ms.end());
  }
  report.succeeded = success_ms.size();
  report.achieved_per_s =
      static_cast<double>(success_ms.size()) / config.seconds;
  report.p50_ms = Quantile(success_ms, 0.5);
  report.p90_ms = Quantile(success_ms, 0.9);
  report.p99_ms = Quantile(success_ms, 0.99);
  report.max_ms = Quantile(success_ms, 1);
  report.late_p99_ms = Quantile(late_ms, 0.99);
  return report;
}

}  // namespace quaver
