// The file of bad lines; see import.h.
#include <cerrno>
#include <cstdio>
#include <utility>

#include "quaver/base/file.h"
#include "quaver/catalogue/import.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

std::string Escape(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    switch (letter) {
      case '\t':
        result += "\\t";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\r':
        result += "\\r";
        break;
      case '\\':
        result += "\\\\";
        break;
      default:
        result += letter;
    }
  }
  return CleanUtf8(result);
}

}  // namespace

struct RejectedFile::Impl {
  std::string path;
  std::FILE* file = nullptr;
  absl::Status status;

  void Write(const std::string& text) {
    if (!status.ok()) return;
    if (std::fwrite(text.data(), 1, text.size(), file) != text.size()) {
      status = ErrnoStatus(errno, "cannot write " + path);
    }
  }
};

absl::StatusOr<std::unique_ptr<RejectedFile>> RejectedFile::Create(
    const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return ErrnoStatus(errno, "cannot create " + path);
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->file = file;
  impl->Write("file\tline\treason\ttext\n");
  return std::unique_ptr<RejectedFile>(new RejectedFile(std::move(impl)));
}

RejectedFile::RejectedFile(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

RejectedFile::~RejectedFile() { std::fclose(impl_->file); }

void RejectedFile::Add(const BadLine& line) {
  ++num_lines_;
  impl_->Write(fmt::format("{}\t{}\t{}\t{}\n", Escape(line.file), line.line,
                           Escape(line.reason), Escape(line.text)));
}

absl::Status RejectedFile::Finish() {
  if (impl_->status.ok() && std::fflush(impl_->file) != 0) {
    impl_->status = ErrnoStatus(errno, "cannot write " + impl_->path);
  }
  return impl_->status;
}

}  // namespace quaver
