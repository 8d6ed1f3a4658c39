// A progress bar with rate and time left, for work a person waits for.
#pragma once

#include <cstdint>
#include <string>

#include "quaver/base/clock.h"

namespace quaver {

// Draws on standard error: a bar redrawn in place on a terminal, at most ten
// times a second; elsewhere one plain line every five seconds. Not thread-safe.
class Progress {
 public:
  // `total` may be 0 when it is not known: rate only. `unit` is plural.
  Progress(std::string label, std::string unit, int64_t total,
           const Clock& clock = Clock::Real());
  ~Progress();  // finishes the line
  void Update(int64_t done);

  // One line as drawn, for tests: "embed  42 % [####......]  1,234/s  0:12
  // left".
  std::string Line() const;

 private:
  void Draw(bool last);
  std::string label_;
  std::string unit_;
  int64_t total_;
  int64_t done_ = 0;
  int64_t last_draw_us_;
  bool terminal_;
  bool finished_ = false;
  const Clock& clock_;
  int64_t start_us_;
};

}  // namespace quaver
