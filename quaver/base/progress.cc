// See progress.h.
#include "quaver/base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace quaver {
namespace {

constexpr int64_t kTerminalPeriodUs = 100'000;
constexpr int64_t kPlainPeriodUs = 5'000'000;
constexpr int kBarWidth = 24;

std::string Seconds(int64_t seconds) {
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

}  // namespace

Progress::Progress(std::string label, std::string unit, int64_t total,
                   const Clock& clock)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      last_draw_us_(clock.NowUs()),
      terminal_(isatty(STDERR_FILENO) == 1),
      clock_(clock),
      start_us_(last_draw_us_) {}

Progress::~Progress() { Draw(/*last=*/true); }

void Progress::Update(int64_t done) {
  done_ = done;
  const int64_t period_us = terminal_ ? kTerminalPeriodUs : kPlainPeriodUs;
  if (clock_.NowUs() - last_draw_us_ < period_us) return;
  Draw(/*last=*/false);
}

std::string Progress::Line() const {
  const double elapsed_s =
      std::max<double>(1, static_cast<double>(clock_.NowUs() - start_us_)) /
      1e6;
  const double rate = static_cast<double>(done_) / elapsed_s;
  if (total_ <= 0) {
    return fmt::format("{:<8} {} {}  {:.0f}/s  {}", label_, done_, unit_, rate,
                       Seconds(static_cast<int64_t>(elapsed_s)));
  }
  const double share =
      std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  const int full = static_cast<int>(share * kBarWidth);
  const std::string bar =
      std::string(full, '#') + std::string(kBarWidth - full, '.');
  const bool complete = done_ >= total_;
  const double left_s =
      rate > 0 ? static_cast<double>(total_ - done_) / rate : 0;
  return fmt::format(
      "{:<8} {:3.0f} % [{}] {} {}  {:.0f}/s  {} {}", label_, share * 100, bar,
      done_, unit_, rate,
      Seconds(static_cast<int64_t>(complete ? elapsed_s : left_s)),
      complete ? "taken" : "left");
}

void Progress::Draw(bool last) {
  if (finished_) return;
  finished_ = last;
  last_draw_us_ = clock_.NowUs();
  const char* format =
      terminal_ ? (last ? "\r%s\033[K\n" : "\r%s\033[K") : "%s\n";
  std::fprintf(stderr, format, Line().c_str());
}

}  // namespace quaver
