// Files: whole reads, durable atomic writes, memory maps, folder locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "quaver/base/status.h"

namespace quaver {

// The whole file. NotFound, PermissionDenied, or ResourceExhausted when it is
// larger than `max_bytes`; the message names the path.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     size_t max_bytes = size_t{1} << 30);

// Reads one of a set of small files by its name, as ReadFile does.
using FileReader =
    std::function<absl::StatusOr<std::string>(const std::string& name)>;
// Of the files in a folder.
FileReader ReaderOf(std::string folder);

// Writes a temporary file beside `path`, syncs it, renames it, syncs the
// folder. After OK the new content survives a power cut; after an error the
// old content is untouched. ResourceExhausted when the disk is full.
absl::Status WriteFileAtomically(const std::string& path,
                                 std::string_view content);

// Makes a folder and its parents; OK when it exists.
absl::Status MakeFolders(const std::string& path);

// ResourceExhausted, with both figures, unless the folder's file system has so
// many bytes free for this user.
absl::Status CheckSpace(const std::string& folder, uint64_t bytes);

// Syncs a file's or folder's content to disk.
absl::Status SyncPath(const std::string& path);

// An Abseil status for an errno value, naming what failed.
absl::Status ErrnoStatus(int error_number, const std::string& what);

// A read-only map of a whole file. The file must not be truncated while it is
// mapped: replace files by renaming, as WriteFileAtomically does.
class MappedFile {
 public:
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(
      const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, std::span<const std::byte> bytes)
      : path_(std::move(path)), bytes_(bytes) {}
  std::string path_;
  std::span<const std::byte> bytes_;
};

// An exclusive lock on a folder, held until destruction, released by the
// system when the process dies. The file `<folder>/lock` holds the owner's
// process id.
class FolderLock {
 public:
  // FailedPrecondition, naming the holder's process id, when it is taken.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(
      const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace quaver
