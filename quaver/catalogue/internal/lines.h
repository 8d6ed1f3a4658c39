// Lines and CSV or TSV records of a byte source, with their numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/internal/byte_source.h"

namespace quaver {

inline constexpr size_t kMaxLineBytes = size_t{1} << 20;
// A quoted CSV field may hold line ends, but a forgotten quote must not
// swallow the file.
inline constexpr int kMaxRecordLines = 1000;

// A line without its end (LF or CR LF).
struct Line {
  int64_t number = 0;     // from 1
  bool too_long = false;  // `text` is its beginning alone
  std::string text;
};

// Splits at line feeds; drops a byte order mark. Not thread-safe.
class LineReader {
 public:
  // `progress` is told source.position() each time more was read.
  explicit LineReader(ByteSource& source,
                      std::function<void(int64_t)> progress = {})
      : source_(source), progress_(std::move(progress)) {}

  // False at the end. Lines that were put back come first.
  absl::StatusOr<bool> Next(Line& line);
  // Makes `line` the next one.
  void PutBack(Line line) { waiting_.push_front(std::move(line)); }

 private:
  absl::StatusOr<bool> Fill();
  absl::StatusOr<bool> ReadLine(Line& line);

  ByteSource& source_;
  std::function<void(int64_t)> progress_;
  std::string buffer_;
  size_t begin_ = 0;  // of what is not consumed in buffer_
  int64_t number_ = 0;
  std::deque<Line> waiting_;
};

// A row of a delimited file. When `error` is not empty the row is bad and
// `fields` means nothing.
struct Record {
  int64_t line = 0;  // its first
  std::vector<std::string> fields;
  std::string error;
  std::string text;  // the first line, for reports
};

// TSV: fields between tabs, quotes are letters. Skips empty lines.
absl::StatusOr<bool> NextTsvRecord(LineReader& lines, Record& record);

// CSV as RFC 4180 has it: fields between commas; one that begins with a quote
// ends with a quote, and holds commas, line ends and doubled quotes. A quote
// inside a field that did not begin with one is a letter. After a bad record
// reading goes on at its second line, so that a forgotten quote costs one.
absl::StatusOr<bool> NextCsvRecord(LineReader& lines, Record& record);

}  // namespace quaver
