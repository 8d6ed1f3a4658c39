// See clock.h.
#include "quaver/base/clock.h"

#include <chrono>

namespace quaver {
namespace {

class SteadyClock : public Clock {
 public:
  int64_t NowUs() const override {
    using std::chrono::steady_clock;
    return std::chrono::duration_cast<std::chrono::microseconds>(
               steady_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace

const Clock& Clock::Real() {
  static const SteadyClock clock;
  return clock;
}

int64_t Stopwatch::LapUs() {
  const int64_t now_us = clock_.NowUs();
  const int64_t lap_us = now_us - start_us_;
  start_us_ = now_us;
  return lap_us;
}

}  // namespace quaver
