// See metrics.h.
#include "quaver/base/metrics.h"

#include <list>
#include <map>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "quaver/base/mutex.h"

namespace quaver {
namespace {

std::map<std::string, std::string> ToMap(const Labels& labels) {
  return {labels.begin(), labels.end()};
}

}  // namespace

struct Metrics::Impl {
  // Merge: asking again for a family gives the first one.
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  Mutex mutex;
  std::list<std::function<void()>> updates ABSL_GUARDED_BY(mutex);
};

void Counter::Increment(double amount) const {
  static_cast<prometheus::Counter*>(counter_)->Increment(amount);
}

void Gauge::Set(double value) const {
  static_cast<prometheus::Gauge*>(gauge_)->Set(value);
}

void Gauge::Add(double amount) const {
  static_cast<prometheus::Gauge*>(gauge_)->Increment(amount);
}

void Histogram::Observe(double value) const {
  static_cast<prometheus::Histogram*>(histogram_)->Observe(value);
}

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter Metrics::AddCounter(const std::string& name, const std::string& help,
                            const Labels& labels) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(
      impl_->registry);
  Counter counter;
  counter.counter_ = &family.Add(ToMap(labels));
  return counter;
}

Gauge Metrics::AddGauge(const std::string& name, const std::string& help,
                        const Labels& labels) {
  auto& family =
      prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry);
  Gauge gauge;
  gauge.gauge_ = &family.Add(ToMap(labels));
  return gauge;
}

Histogram Metrics::AddHistogram(const std::string& name,
                                const std::string& help,
                                const std::vector<double>& bounds,
                                const Labels& labels) {
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(
      impl_->registry);
  Histogram histogram;
  histogram.histogram_ = &family.Add(ToMap(labels), bounds);
  return histogram;
}

std::shared_ptr<void> Metrics::OnExpose(std::function<void()> update) {
  const MutexLock lock(&impl_->mutex);
  auto& added = impl_->updates.emplace_back(std::move(update));
  return {
      &added, [impl = impl_.get()](const void* own) {
        const MutexLock removing(&impl->mutex);
        impl->updates.remove_if([&](const auto& one) { return &one == own; });
      }};
}

std::string Metrics::Expose() const {
  const MutexLock lock(&impl_->mutex);
  for (const auto& update : impl_->updates) update();
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace quaver
