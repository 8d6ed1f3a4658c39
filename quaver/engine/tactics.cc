// See tactics.h.
#include "quaver/engine/tactics.h"

#include <cpuid.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <sstream>

#include <fmt/format.h>

namespace quaver {
namespace {

// As the processor names itself, in three parts of 16 bytes.
std::string ModelName() {
  constexpr unsigned kFirst = 0x80000002, kParts = 3;
  char name[kParts * 16 + 1] = {};
  for (unsigned part = 0; part < kParts; ++part) {
    unsigned registers[4] = {};
    if (__get_cpuid(kFirst + part, &registers[0], &registers[1], &registers[2],
                    &registers[3]) == 0) {
      return "unknown";
    }
    std::memcpy(name + part * sizeof(registers), registers, sizeof(registers));
  }
  std::string trimmed = name;
  std::erase_if(trimmed, [](char c) { return c < ' ' || c > '~' || c == ';'; });
  trimmed.erase(0, trimmed.find_first_not_of(' '));
  trimmed.erase(trimmed.find_last_not_of(' ') + 1);
  return trimmed.empty() ? "unknown" : trimmed;
}

// Family, model and stepping, which tell apart what a virtual machine calls by
// one name: "6-143-8".
std::string Signature() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return "0-0-0";
  constexpr unsigned kExtended = 0xF;  // the family from which more bits count
  unsigned family = eax >> 8 & 0xF, model = eax >> 4 & 0xF;
  if (family == kExtended || family == 6) model += (eax >> 16 & 0xF) << 4;
  if (family == kExtended) family += eax >> 20 & 0xFF;
  return fmt::format("{}-{}-{}", family, model, eax & 0xF);
}

std::string CacheSize(int name) {
  return fmt::format("{}K", std::max(sysconf(name), 0L) / 1024);
}

std::string ReadProcessorKey() {
  std::string key = fmt::format("{} {}; L1 {} L2 {} L3 {};", ModelName(),
                                Signature(), CacheSize(_SC_LEVEL1_DCACHE_SIZE),
                                CacheSize(_SC_LEVEL2_CACHE_SIZE),
                                CacheSize(_SC_LEVEL3_CACHE_SIZE));
  for (const Kernels* kernels : AvailableKernels().subspan(1)) {
    key += std::string(" ") + kernels->name;
  }
  return key;
}

template <typename Tactic>
std::vector<std::string> NamesOf(const Tactic (&tactics)[kMaxTactics]) {
  std::vector<std::string> names;
  for (const Tactic& tactic : tactics) {
    if (tactic.name != nullptr) names.emplace_back(tactic.name);
  }
  return names;
}

std::optional<size_t> ParseSize(std::string_view text) {
  size_t size = 0;
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || stop != text.data() + text.size() || size == 0) {
    return std::nullopt;
  }
  return size;
}

std::optional<Precision> ParsePrecision(std::string_view text) {
  for (const Precision precision : kPrecisions) {
    if (text == Name(precision)) return precision;
  }
  return std::nullopt;
}

// "int8 1152x384".
std::optional<ProductShape> ParseShape(const std::string& precision,
                                       const std::string& size) {
  const size_t cross = size.find('x');
  if (cross == std::string::npos) return std::nullopt;
  const auto parsed = ParsePrecision(precision);
  const auto N = ParseSize(std::string_view(size).substr(0, cross));
  const auto K = ParseSize(std::string_view(size).substr(cross + 1));
  if (!parsed || !N || !K) return std::nullopt;
  return ProductShape{*parsed, *N, *K};
}

// "16=amx"; false for what is none.
bool ParseChoice(const std::string& choice,
                 const std::vector<std::string>& names, RowTactics* tactics) {
  const size_t equals = choice.find('=');
  if (equals == std::string::npos) return false;
  const auto rows = ParseSize(std::string_view(choice).substr(0, equals));
  if (!rows || BucketRows(RowBucket(*rows)) != *rows) return false;
  const auto found =
      std::find(names.begin(), names.end(), choice.substr(equals + 1));
  if (found == names.end()) return true;
  tactics->of[RowBucket(*rows)] = static_cast<uint8_t>(found - names.begin());
  return true;
}

}  // namespace

std::vector<std::string> TacticNames(const Kernels& kernels,
                                     Precision precision) {
  if (precision == Precision::kInt8) return NamesOf(kernels.int8.tactics);
  if (precision == Precision::kBf16) return NamesOf(kernels.bf16.tactics);
  return NamesOf(kernels.dense.tactics);
}

const std::string& ProcessorKey() {
  static const std::string key = ReadProcessorKey();
  return key;
}

RowTactics TacticTable::Of(const ProductShape& shape) const {
  const auto found = tactics_.find(shape);
  return found == tactics_.end() ? RowTactics{} : found->second;
}

std::string TacticTable::Text(const Kernels& kernels) const {
  std::string text = processor_ + "\n";
  for (const auto& [shape, tactics] : tactics_) {
    if (tactics == RowTactics{}) continue;
    const auto names = TacticNames(kernels, shape.precision);
    text += fmt::format("{} {}x{}", Name(shape.precision), shape.N, shape.K);
    for (size_t bucket = 0; bucket < kRowBuckets; ++bucket) {
      const size_t chosen = tactics.of[bucket];
      if (chosen == 0) continue;
      text += fmt::format(" {}={}", BucketRows(bucket), names[chosen]);
    }
    text += "\n";
  }
  return text;
}

absl::StatusOr<TacticTable> TacticTable::Parse(const std::string& text,
                                               const Kernels& kernels) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  TacticTable table(line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string precision, size, choice;
    words >> precision >> size;
    const auto shape = ParseShape(precision, size);
    RowTactics tactics;
    bool sound = shape.has_value();
    while (sound && words >> choice) {
      sound =
          ParseChoice(choice, TacticNames(kernels, shape->precision), &tactics);
    }
    if (!sound) {
      return absl::InvalidArgumentError(
          fmt::format("\"{}\" is no line of tactics", line));
    }
    table.Set(*shape, tactics);
  }
  return table;
}

}  // namespace quaver
