// Counters, gauges and histograms in Prometheus' exposition format.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace quaver {

using Labels = std::vector<std::pair<std::string, std::string>>;

// One series each. Cheap to copy, thread-safe, valid as long as the Metrics
// they came from.
class Counter {
 public:
  void Increment(double amount = 1) const;

 private:
  friend class Metrics;
  void* counter_ = nullptr;
};

class Gauge {
 public:
  void Set(double value) const;
  void Add(double amount) const;

 private:
  friend class Metrics;
  void* gauge_ = nullptr;
};

class Histogram {
 public:
  void Observe(double value) const;

 private:
  friend class Metrics;
  void* histogram_ = nullptr;
};

// The registry. The same name and labels give the same series; a name keeps
// its help text and kind. Names follow Prometheus' rules (unit suffix, _total
// for counters). Thread-safe; asking for a series takes a lock, so ask once
// and keep the handle.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter AddCounter(const std::string& name, const std::string& help,
                     const Labels& labels = {});
  Gauge AddGauge(const std::string& name, const std::string& help,
                 const Labels& labels = {});
  // `bounds`: upper bucket bounds, rising; +Inf is implied.
  Histogram AddHistogram(const std::string& name, const std::string& help,
                         const std::vector<double>& bounds,
                         const Labels& labels = {});

  // For series that follow what others count: `update` is called by each Expose
  // before it reads, never twice at a time, until what is returned here is
  // destroyed. It must not call OnExpose or Expose.
  [[nodiscard]] std::shared_ptr<void> OnExpose(std::function<void()> update);

  // Text exposition format 0.0.4.
  std::string Expose() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quaver
