// How long products took, by processor: a text file, one measurement a line.
//
// A line is a processor's key (engine/tactics.h), a precision, NxK, rows, a
// tactic and nanoseconds, separated by tabs. Lines are sorted; `cat a b > c`
// merges files: of equal measurements the least counts, because what disturbs
// a measurement only adds to it. Empty lines and those that begin with # are
// passed over.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "quaver/base/status.h"

namespace quaver {

struct TimingKey {
  std::string processor;
  std::string precision;  // its Name
  size_t N = 0;
  size_t K = 0;
  size_t M = 0;
  std::string tactic;

  friend auto operator<=>(const TimingKey&, const TimingKey&) = default;
};

// "int8 1152x384, 16 rows, amx".
std::string ToText(const TimingKey& key);

// Not thread-safe.
class TimingCache {
 public:
  // Empty when there is no such file. InvalidArgument, naming file and line,
  // for a line that is none.
  static absl::StatusOr<TimingCache> Read(const std::string& path);
  // `name` is what errors call it.
  static absl::StatusOr<TimingCache> Parse(const std::string& text,
                                           const std::string& name);

  void Add(const TimingKey& key, int64_t ns);
  void Merge(const TimingCache& other);
  // Nanoseconds of a call.
  std::optional<int64_t> Find(const TimingKey& key) const;
  const std::map<TimingKey, int64_t>& times() const { return times_; }

  std::string Text() const;
  // Merges with what the file holds by then; atomic. Errors as Read's.
  absl::Status WriteTo(const std::string& path) const;

 private:
  std::map<TimingKey, int64_t> times_;
};

}  // namespace quaver
