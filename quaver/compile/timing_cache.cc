// See timing_cache.h.
#include "quaver/compile/timing_cache.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "quaver/base/file.h"

namespace quaver {
namespace {

constexpr char kHeading[] =
    "# processor\tprecision\toutputs x inputs\trows\ttactic\tnanoseconds\n";

std::vector<std::string> SplitAt(const std::string& line, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(line);
  for (std::string part; std::getline(stream, part, separator);) {
    parts.push_back(std::move(part));
  }
  return parts;
}

// A positive number, and nothing else.
template <typename T>
bool ParseNumber(std::string_view text, T* number) {
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && stop == text.data() + text.size() &&
         *number > 0;
}

bool ParseLine(const std::string& line, TimingKey* key, int64_t* ns) {
  const std::vector<std::string> fields = SplitAt(line, '\t');
  if (fields.size() != 6) return false;
  const auto sizes = SplitAt(fields[2], 'x');
  key->processor = fields[0];
  key->precision = fields[1];
  key->tactic = fields[4];
  return sizes.size() == 2 && ParseNumber(sizes[0], &key->N) &&
         ParseNumber(sizes[1], &key->K) && ParseNumber(fields[3], &key->M) &&
         ParseNumber(fields[5], ns);
}

}  // namespace

std::string ToText(const TimingKey& key) {
  return fmt::format("{} {}x{}, {} rows, {}", key.precision, key.N, key.K,
                     key.M, key.tactic);
}

absl::StatusOr<TimingCache> TimingCache::Read(const std::string& path) {
  const auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return TimingCache();
  RETURN_IF_ERROR(text.status());
  return Parse(*text, path);
}

absl::StatusOr<TimingCache> TimingCache::Parse(const std::string& text,
                                               const std::string& name) {
  TimingCache cache;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    TimingKey key;
    int64_t ns = 0;
    if (!ParseLine(line, &key, &ns)) {
      return absl::InvalidArgumentError(fmt::format(
          "{}:{}: is no measurement; a line is processor, precision, NxK, "
          "rows, tactic and nanoseconds, separated by tabs",
          name, number));
    }
    cache.Add(key, ns);
  }
  return cache;
}

void TimingCache::Add(const TimingKey& key, int64_t ns) {
  const auto [place, is_new] = times_.emplace(key, ns);
  if (!is_new) place->second = std::min(place->second, ns);
}

void TimingCache::Merge(const TimingCache& other) {
  for (const auto& [key, ns] : other.times_) Add(key, ns);
}

std::optional<int64_t> TimingCache::Find(const TimingKey& key) const {
  const auto found = times_.find(key);
  if (found == times_.end()) return std::nullopt;
  return found->second;
}

std::string TimingCache::Text() const {
  std::string text = kHeading;
  for (const auto& [key, ns] : times_) {
    text += fmt::format("{}\t{}\t{}x{}\t{}\t{}\t{}\n", key.processor,
                        key.precision, key.N, key.K, key.M, key.tactic, ns);
  }
  return text;
}

absl::Status TimingCache::WriteTo(const std::string& path) const {
  ASSIGN_OR_RETURN(TimingCache merged, Read(path));
  merged.Merge(*this);
  return WriteFileAtomically(path, merged.Text());
}

}  // namespace quaver
