// Time as an interface, so that no test sleeps.
#pragma once

#include <atomic>
#include <cstdint>

namespace quaver {

// Monotonic time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since an arbitrary start; never goes back.
  virtual int64_t NowUs() const = 0;

  // The machine's steady clock; lives for ever.
  static const Clock& Real();
};

// A clock that moves only when told to.
class FakeClock : public Clock {
 public:
  int64_t NowUs() const override { return now_us_.load(); }
  void AdvanceUs(int64_t us) { now_us_ += us; }

 private:
  std::atomic<int64_t> now_us_{0};
};

// Microseconds since construction or the last Lap(). For stage timings.
class Stopwatch {
 public:
  explicit Stopwatch(const Clock& clock = Clock::Real())
      : clock_(clock), start_us_(clock.NowUs()) {}
  int64_t ElapsedUs() const { return clock_.NowUs() - start_us_; }
  // Returns the elapsed time and starts again.
  int64_t LapUs();

 private:
  const Clock& clock_;
  int64_t start_us_;
};

}  // namespace quaver
