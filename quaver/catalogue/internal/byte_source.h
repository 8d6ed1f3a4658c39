// Bytes of a file or a text, decompressed on the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "quaver/base/status.h"

namespace quaver {

// Reads on from where it is. Not thread-safe.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills at most buffer.size() bytes and returns how many; 0 at the end.
  virtual absl::StatusOr<size_t> Read(std::span<char> buffer) = 0;
  // Bytes of the file that were read, before decompression.
  virtual int64_t position() const = 0;
};

// What a file's first bytes say it is.
enum class Compression { kNone, kGzip, kZstd };
Compression SniffCompression(std::string_view first_bytes);

// Opens a file and decompresses gzip and zstd, several members or frames too.
// NotFound, PermissionDenied, InvalidArgument for a folder. Reads fail with
// DataLoss where compressed data is damaged or ends early. Memory: 128 KiB, and
// zstd's window of at most 128 MiB.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(
    const std::string& path);

// The same over bytes in memory, which must outlive it; `name` is for errors.
absl::StatusOr<std::unique_ptr<ByteSource>> ReadBytes(std::string_view bytes,
                                                      const std::string& name);

}  // namespace quaver
