// See metrics.h.
#include "quaver/base/metrics.h"

#include <map>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace quaver {
namespace {

std::map<std::string, std::string> ToMap(const Labels& labels) {
  return {labels.begin(), labels.end()};
}

}  // namespace

struct Metrics::Impl {
  // Merge: asking again for a family gives the first one.
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
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

std::string Metrics::Expose() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace quaver
