// See lines.h.
#include "quaver/catalogue/internal/lines.h"

#include <cstring>
#include <utility>

namespace quaver {
namespace {

constexpr size_t kReadBytes = size_t{1} << 17;
// Of a line that is too long: enough to recognise it by.
constexpr size_t kHeadBytes = 1000;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string TooLong() {
  return fmt::format("the line is longer than {} bytes", kMaxLineBytes);
}

// One CSV record, fed line by line.
class CsvParser {
 public:
  explicit CsvParser(Record& record) : record_(record) {
    record_.fields.assign(1, "");
    record_.error.clear();
  }

  // Takes a line; false when the record is not complete without the next.
  bool Feed(std::string_view text) {
    for (size_t i = 0; i < text.size() && record_.error.empty(); ++i) {
      if (quoted_) {
        i = Quoted(text, i);
      } else {
        Unquoted(text[i]);
      }
    }
    if (!quoted_ || !record_.error.empty()) return true;
    record_.fields.back().push_back('\n');
    return false;
  }

 private:
  // Takes the run up to the next quote, and the quote; returns its last index.
  size_t Quoted(std::string_view text, size_t begin) {
    const size_t quote = text.find('"', begin);
    record_.fields.back().append(text.substr(begin, quote - begin));
    if (quote == std::string_view::npos) return text.size();
    if (text.substr(quote + 1).starts_with('"')) {
      record_.fields.back().push_back('"');
      return quote + 1;
    }
    quoted_ = false;
    closed_ = true;
    return quote;
  }

  void Unquoted(char letter) {
    if (letter == ',') {
      record_.fields.emplace_back();
      closed_ = false;
      at_start_ = true;
      return;
    }
    if (closed_) {
      record_.error = fmt::format("field {} goes on after its closing quote",
                                  record_.fields.size());
      return;
    }
    if (letter == '"' && at_start_) {
      quoted_ = true;
    } else {
      record_.fields.back().push_back(letter);
    }
    at_start_ = false;
  }

  Record& record_;
  bool at_start_ = true;  // of a field
  bool quoted_ = false;   // inside quotes
  bool closed_ = false;   // behind them
};

}  // namespace

absl::StatusOr<bool> LineReader::Fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t size = buffer_.size();
  buffer_.resize(size + kReadBytes);
  const auto got = source_.Read(std::span(buffer_).subspan(size));
  buffer_.resize(size + (got.ok() ? *got : 0));
  RETURN_IF_ERROR(got.status());
  if (progress_) progress_(source_.position());
  return *got > 0;
}

absl::StatusOr<bool> LineReader::Next(Line& line) {
  if (!waiting_.empty()) {
    line = std::move(waiting_.front());
    waiting_.pop_front();
    return true;
  }
  ASSIGN_OR_RETURN(const bool found, ReadLine(line));
  if (!found) return false;
  if (line.number == 1 && line.text.starts_with(kByteOrderMark)) {
    line.text.erase(0, kByteOrderMark.size());
  }
  if (line.text.ends_with('\r')) line.text.pop_back();
  return true;
}

absl::StatusOr<bool> LineReader::ReadLine(Line& line) {
  line = Line();
  line.number = number_ + 1;
  size_t searched = 0;  // bytes after begin_ that hold no line feed
  while (true) {
    const size_t end = buffer_.find('\n', begin_ + searched);
    const bool complete = end != std::string::npos;
    const size_t size = (complete ? end : buffer_.size()) - begin_;
    if (!line.too_long && size > kMaxLineBytes) {
      line.too_long = true;
      line.text = buffer_.substr(begin_, kHeadBytes);
    }
    if (complete) {
      if (!line.too_long) line.text = buffer_.substr(begin_, size);
      begin_ = end + 1;
      ++number_;
      return true;
    }
    searched = size;
    if (line.too_long) {  // the rest of it is dropped as it comes
      begin_ = buffer_.size();
      searched = 0;
    }
    ASSIGN_OR_RETURN(const bool more, Fill());
    if (more) continue;
    if (buffer_.empty() && !line.too_long) return false;
    if (!line.too_long) line.text = buffer_;
    buffer_.clear();
    ++number_;
    return true;
  }
}

absl::StatusOr<bool> NextTsvRecord(LineReader& lines, Record& record) {
  Line line;
  do {
    ASSIGN_OR_RETURN(const bool found, lines.Next(line));
    if (!found) return false;
  } while (line.text.empty());
  record = Record();
  record.line = line.number;
  record.text = std::move(line.text);
  if (line.too_long) {
    record.error = TooLong();
    return true;
  }
  std::string_view rest = record.text;
  while (true) {
    const size_t tab = rest.find('\t');
    record.fields.emplace_back(rest.substr(0, tab));
    if (tab == std::string_view::npos) return true;
    rest.remove_prefix(tab + 1);
  }
}

absl::StatusOr<bool> NextCsvRecord(LineReader& lines, Record& record) {
  Line line;
  do {
    ASSIGN_OR_RETURN(const bool found, lines.Next(line));
    if (!found) return false;
  } while (line.text.empty());
  record.line = line.number;
  CsvParser parser(record);
  std::vector<Line> taken;
  size_t bytes = 0;
  while (true) {
    bytes += line.text.size() + 1;
    if (line.too_long || bytes > kMaxLineBytes) {
      record.error = TooLong();
    } else if (taken.size() == kMaxRecordLines) {
      record.error =
          fmt::format("a quote is not closed within {} lines", kMaxRecordLines);
    }
    const bool done = !record.error.empty() || parser.Feed(line.text);
    taken.push_back(std::move(line));
    if (done) break;
    const auto found = lines.Next(line);
    RETURN_IF_ERROR(found.status());
    if (!*found) {
      record.error = "a quote is not closed";
      break;
    }
  }
  record.text = taken.front().text;
  if (!record.error.empty()) {
    while (taken.size() > 1) {
      lines.PutBack(std::move(taken.back()));
      taken.pop_back();
    }
  }
  return true;
}

}  // namespace quaver
