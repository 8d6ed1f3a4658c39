// See file.h.
#include "quaver/base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace quaver {
namespace {

// Closes a descriptor at the end of its scope.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

absl::Status WriteAll(int fd, std::string_view content,
                      const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "cannot write " + path);
    content.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(fd) != 0) return ErrnoStatus(errno, "cannot sync " + path);
  return absl::OkStatus();
}

}  // namespace

absl::Status ErrnoStatus(int error_number, const std::string& what) {
  absl::StatusCode code = absl::StatusCode::kInternal;
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      code = absl::StatusCode::kNotFound;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = absl::StatusCode::kPermissionDenied;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
      code = absl::StatusCode::kResourceExhausted;
      break;
    case EISDIR:
      code = absl::StatusCode::kInvalidArgument;
      break;
    default:
      break;
  }
  const std::string reason =
      std::error_code(error_number, std::generic_category()).message();
  return {code, fmt::format("{}: {}", what, reason)};
}

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     size_t max_bytes) {
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return ErrnoStatus(errno, "cannot open " + path);
  std::string content;
  char buffer[65536];
  while (true) {
    const ssize_t got = read(file.fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "cannot read " + path);
    if (got == 0) return content;
    if (content.size() + static_cast<size_t>(got) > max_bytes) {
      return absl::ResourceExhaustedError(
          fmt::format("{} is larger than {} bytes", path, max_bytes));
    }
    content.append(buffer, static_cast<size_t>(got));
  }
}

FileReader ReaderOf(std::string folder) {
  return [folder = std::move(folder)](const std::string& name) {
    return ReadFile(folder + "/" + name);
  };
}

absl::Status WriteFileAtomically(const std::string& path,
                                 std::string_view content) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  absl::Status status;
  {
    Descriptor file{open(temporary.c_str(),
                         O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    if (file.fd < 0) return ErrnoStatus(errno, "cannot create " + temporary);
    status = WriteAll(file.fd, content, temporary);
  }
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, "cannot rename to " + path);
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  const auto parent = std::filesystem::path(path).parent_path();
  return SyncPath(parent.empty() ? "." : parent.string());
}

absl::Status MakeFolders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoStatus(error.value(), "cannot make folder " + path);
  return absl::OkStatus();
}

absl::Status CheckSpace(const std::string& folder, uint64_t bytes) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error) return ErrnoStatus(error.value(), "cannot look at " + folder);
  if (space.available >= bytes) return absl::OkStatus();
  constexpr uint64_t kMiB = 1 << 20;
  return absl::ResourceExhaustedError(
      fmt::format("{} needs up to {} MiB and its disk has {} MiB free", folder,
                  (bytes + kMiB - 1) / kMiB, space.available / kMiB));
}

absl::Status SyncPath(const std::string& path) {
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return ErrnoStatus(errno, "cannot open " + path);
  if (fsync(file.fd) != 0) return ErrnoStatus(errno, "cannot sync " + path);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(
    const std::string& path) {
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return ErrnoStatus(errno, "cannot open " + path);
  struct stat info = {};
  if (fstat(file.fd, &info) != 0) {
    return ErrnoStatus(errno, "cannot read the size of " + path);
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(path + " is not a regular file");
  }
  const auto size = static_cast<size_t>(info.st_size);
  const std::byte* data = nullptr;
  if (size > 0) {  // mmap refuses empty maps
    void* map = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd, 0);
    if (map == MAP_FAILED) return ErrnoStatus(errno, "cannot map " + path);
    data = static_cast<const std::byte*>(map);
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, std::span(data, size)));
}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Take(
    const std::string& folder) {
  const std::string path = folder + "/lock";
  Descriptor file{open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
  if (file.fd < 0) return ErrnoStatus(errno, "cannot open " + path);
  if (flock(file.fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "cannot lock " + path);
    char holder[32] = {};
    const ssize_t got = pread(file.fd, holder, sizeof(holder) - 1, 0);
    return absl::FailedPreconditionError(fmt::format(
        "{} is in use by process {}; stop it or choose another folder", folder,
        got > 0 ? holder : "unknown"));
  }
  const std::string self = std::to_string(getpid());
  if (ftruncate(file.fd, 0) != 0 ||
      pwrite(file.fd, self.data(), self.size(), 0) < 0) {
    return ErrnoStatus(errno, "cannot write " + path);
  }
  return std::unique_ptr<FolderLock>(
      new FolderLock(std::exchange(file.fd, -1)));
}

FolderLock::~FolderLock() { close(descriptor_); }

}  // namespace quaver
