// See byte_source.h.
#include "quaver/catalogue/internal/byte_source.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "quaver/base/file.h"

namespace quaver {
namespace {

constexpr size_t kChunkBytes = 65536;
constexpr size_t kMagicBytes = 4;

class FileSource : public ByteSource {
 public:
  FileSource(int descriptor, std::string path)
      : descriptor_(descriptor), path_(std::move(path)) {}
  ~FileSource() override { close(descriptor_); }

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    ssize_t got = 0;
    do {
      got = read(descriptor_, buffer.data(), buffer.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) return ErrnoStatus(errno, "cannot read " + path_);
    position_ += got;
    return static_cast<size_t>(got);
  }
  int64_t position() const override { return position_; }

 private:
  int descriptor_;
  std::string path_;
  int64_t position_ = 0;
};

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    const size_t count = std::min(buffer.size(), bytes_.size() - position_);
    std::copy_n(bytes_.begin() + position_, count, buffer.begin());
    position_ += count;
    return count;
  }
  int64_t position() const override { return static_cast<int64_t>(position_); }

 private:
  std::string_view bytes_;
  size_t position_ = 0;
};

// A source that a decompressor takes its input from, a chunk at a time.
class Input {
 public:
  Input(std::unique_ptr<ByteSource> source, std::string first)
      : source_(std::move(source)), chunk_(std::move(first)) {}

  // Reads on when all is taken; false at the end.
  absl::StatusOr<bool> Fill() {
    if (taken_ < chunk_.size()) return true;
    chunk_.resize(kChunkBytes);
    ASSIGN_OR_RETURN(const size_t count, source_->Read(chunk_));
    chunk_.resize(count);
    taken_ = 0;
    return count > 0;
  }
  std::span<char> rest() { return std::span(chunk_).subspan(taken_); }
  void Take(size_t count) { taken_ += count; }
  int64_t position() const { return source_->position(); }

 private:
  std::unique_ptr<ByteSource> source_;
  std::string chunk_;
  size_t taken_ = 0;
};

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(Input input) : input_(std::move(input)) {}

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    ASSIGN_OR_RETURN(const bool more, input_.Fill());
    if (!more) return 0;
    const size_t count = std::min(buffer.size(), input_.rest().size());
    std::copy_n(input_.rest().begin(), count, buffer.begin());
    input_.Take(count);
    return count;
  }
  int64_t position() const override { return input_.position(); }

 private:
  Input input_;
};

absl::Status Truncated(const std::string& name, const char* format) {
  return absl::DataLossError(fmt::format(
      "{} ends in the middle of its {} data; fetch it again", name, format));
}

class GzipSource : public ByteSource {
 public:
  GzipSource(Input input, std::string name)
      : input_(std::move(input)), name_(std::move(name)) {}
  ~GzipSource() override { inflateEnd(&stream_); }

  bool Start() {
    constexpr int kGzipOnly = 16;
    return inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK;
  }

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(buffer.size());
    while (stream_.avail_out == buffer.size()) {
      ASSIGN_OR_RETURN(const bool more, input_.Fill());
      if (!more && !in_member_) return 0;
      if (!more) return Truncated(name_, "gzip");
      RETURN_IF_ERROR(Inflate());
    }
    return buffer.size() - stream_.avail_out;
  }
  int64_t position() const override { return input_.position(); }

 private:
  absl::Status Inflate() {
    const std::span<char> rest = input_.rest();
    stream_.next_in = reinterpret_cast<Bytef*>(rest.data());
    stream_.avail_in = static_cast<uInt>(rest.size());
    const int code = inflate(&stream_, Z_NO_FLUSH);
    input_.Take(rest.size() - stream_.avail_in);
    in_member_ = code != Z_STREAM_END;
    if (code == Z_OK || code == Z_BUF_ERROR) return absl::OkStatus();
    if (code == Z_STREAM_END) {
      inflateReset(&stream_);  // another member may follow
      return absl::OkStatus();
    }
    return absl::DataLossError(
        fmt::format("{}: damaged gzip data ({})", name_,
                    stream_.msg != nullptr ? stream_.msg : zError(code)));
  }

  Input input_;
  std::string name_;
  z_stream stream_ = {};
  bool in_member_ = true;
};

class ZstdSource : public ByteSource {
 public:
  ZstdSource(Input input, std::string name)
      : input_(std::move(input)), name_(std::move(name)) {}

  bool Start() { return stream_ != nullptr; }

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    ZSTD_outBuffer out = {buffer.data(), buffer.size(), 0};
    while (out.pos == 0) {
      ASSIGN_OR_RETURN(const bool more, input_.Fill());
      // At the end of the input there may be output left in the window.
      const std::span<char> rest = input_.rest();
      ZSTD_inBuffer in = {rest.data(), rest.size(), 0};
      if (!more && !in_frame_) return 0;
      const size_t code = ZSTD_decompressStream(stream_.get(), &out, &in);
      input_.Take(in.pos);
      if (ZSTD_isError(code) != 0) {
        return absl::DataLossError(fmt::format("{}: damaged zstd data ({})",
                                               name_, ZSTD_getErrorName(code)));
      }
      in_frame_ = code != 0;
      if (!more && out.pos == 0) return Truncated(name_, "zstd");
    }
    return out.pos;
  }
  int64_t position() const override { return input_.position(); }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  Input input_;
  std::string name_;
  std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
  bool in_frame_ = true;
};

template <typename Source>
absl::StatusOr<std::unique_ptr<ByteSource>> StartSource(
    Input input, const std::string& name) {
  auto source = std::make_unique<Source>(std::move(input), name);
  if (!source->Start()) {
    return absl::ResourceExhaustedError(name + ": no memory to decompress it");
  }
  return source;
}

absl::StatusOr<std::unique_ptr<ByteSource>> Decompress(
    std::unique_ptr<ByteSource> source, const std::string& name) {
  std::string first(kMagicBytes, '\0');
  size_t count = 0;
  while (count < kMagicBytes) {
    ASSIGN_OR_RETURN(const size_t got,
                     source->Read(std::span(first).subspan(count)));
    if (got == 0) break;
    count += got;
  }
  first.resize(count);
  const Compression compression = SniffCompression(first);
  Input input(std::move(source), std::move(first));
  switch (compression) {
    case Compression::kGzip:
      return StartSource<GzipSource>(std::move(input), name);
    case Compression::kZstd:
      return StartSource<ZstdSource>(std::move(input), name);
    case Compression::kNone:
      break;
  }
  return std::make_unique<PlainSource>(std::move(input));
}

}  // namespace

Compression SniffCompression(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1f\x8b")) return Compression::kGzip;
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd")) return Compression::kZstd;
  return Compression::kNone;
}

absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(
    const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, "cannot open " + path);
  return Decompress(std::make_unique<FileSource>(descriptor, path), path);
}

absl::StatusOr<std::unique_ptr<ByteSource>> ReadBytes(std::string_view bytes,
                                                      const std::string& name) {
  return Decompress(std::make_unique<MemorySource>(bytes), name);
}

}  // namespace quaver
