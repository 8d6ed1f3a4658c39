// See python_process.h.
#include "quaver/backends/internal/python_process.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/wait.h>

#include "quaver/base/clock.h"
#include "quaver/base/file.h"
#include "quaver/base/log.h"

namespace quaver {
namespace {

constexpr size_t kMaxLineBytes = 4096;   // of the log; longer ones are cut
constexpr size_t kChunkBytes = 1 << 20;  // memory grows as bytes come
// Lines of the script's Logger begin so, with a letter of their level.
constexpr char kLogMark = '\x01';

int PollTimeoutMs(int64_t deadline_us) {
  if (deadline_us == kNever) return -1;
  const int64_t left_us = deadline_us - Clock::Real().NowUs();
  return static_cast<int>(
      std::clamp<int64_t>((left_us + 999) / 1000, 0, 3'600'000));
}

LogLevel LevelOf(char letter) {
  switch (letter) {
    case 'E':
      return LogLevel::kError;
    case 'W':
      return LogLevel::kWarning;
    case 'V':
      return LogLevel::kDebug;
    default:
      return LogLevel::kInfo;
  }
}

// Control characters would break the log's lines.
std::string Printable(std::string_view line) {
  std::string printable(line);
  for (char& letter : printable) {
    if (static_cast<unsigned char>(letter) < ' ' && letter != '\t') {
      letter = '?';
    }
  }
  return printable;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PythonProcess>> PythonProcess::Spawn(
    const PythonProcessConfig& config, std::function<void()> on_exit) {
  ASSIGN_OR_RETURN(SpawnedPython spawned, SpawnPython(config));
  std::unique_ptr<PythonProcess> process(
      new PythonProcess(config.name, std::move(on_exit)));
  process->pid_ = spawned.pid;
  process->process_ = std::move(spawned.process);
  process->socket_ = std::move(spawned.socket);
  process->printed_ = std::move(spawned.printed);
  if (process->process_.get() < 0) {
    return absl::UnimplementedError(
        "Python models need pidfd_open (Linux 5.3)");
  }
  process->watcher_ = std::thread(&PythonProcess::Watch, process.get());
  return process;
}

void PythonProcess::Stop() {
  Kill();
  if (watcher_.joinable()) watcher_.join();
}

PythonProcess::~PythonProcess() {
  Stop();
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// Safe as long as the process is not waited for: until then the number is its.
void PythonProcess::Kill() const { kill(-pid_, SIGKILL); }

std::string PythonProcess::HowItEnded() const {
  siginfo_t info = {};
  std::string how = "ended its connection";
  if (waitid(P_PID, static_cast<id_t>(pid_), &info,
             WEXITED | WNOWAIT | WNOHANG) == 0 &&
      info.si_pid == pid_) {
    how = info.si_code == CLD_EXITED
              ? fmt::format("exited with status {}", info.si_status)
              : fmt::format("was killed by signal {} ({})", info.si_status,
                            strsignal(info.si_status));
  }
  const MutexLock lock(&printing_);
  return fmt::format(
      "its Python process {}{}{}", how,
      last_line_.empty() ? "" : "; it printed last: ", last_line_);
}

absl::Status PythonProcess::Ended() const {
  // Its end may be known a little later than that of the socket.
  pollfd ended = {process_.get(), POLLIN, 0};
  poll(&ended, 1, /*timeout=*/1000);
  return absl::UnavailableError(HowItEnded());
}

absl::Status PythonProcess::Send(PythonMessageType type,
                                 std::initializer_list<std::string_view> parts,
                                 int64_t deadline_us) {
  size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  if (size > kMaxPythonMessageBytes) {
    return absl::InvalidArgumentError(
        fmt::format("a message of {} bytes to a Python model; at most {}", size,
                    kMaxPythonMessageBytes));
  }
  const auto size32 = static_cast<uint32_t>(size);
  std::array<char, kPythonHeaderBytes> header;
  std::memcpy(header.data(), &size32, sizeof(size32));
  header[sizeof(size32)] = static_cast<char>(type);
  const MutexLock lock(&sending_);
  RETURN_IF_ERROR(SendAll({header.data(), header.size()}, deadline_us));
  for (const std::string_view part : parts) {
    RETURN_IF_ERROR(SendAll(part, deadline_us));
  }
  return absl::OkStatus();
}

absl::Status PythonProcess::SendAll(std::string_view bytes,
                                    int64_t deadline_us) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(),
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!AwaitSocket(POLLOUT, deadline_us)) {
        Kill();
        return absl::DeadlineExceededError("its Python process does not read");
      }
      if (exited()) return Ended();
    } else if (errno != EINTR) {
      return Ended();
    }
  }
  return absl::OkStatus();
}

bool PythonProcess::AwaitSocket(short events, int64_t deadline_us) const {
  // A grandchild may hold the socket open when the process is gone.
  pollfd files[] = {{socket_.get(), events, 0}, {process_.get(), POLLIN, 0}};
  int ready = 0;
  do {
    ready = poll(files, 2, PollTimeoutMs(deadline_us));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

absl::StatusOr<size_t> PythonProcess::ReceiveSome(char* to, size_t size) {
  const ssize_t received = recv(socket_.get(), to, size, MSG_DONTWAIT);
  if (received > 0) return static_cast<size_t>(received);
  if (received < 0 && errno == EINTR) return size_t{0};
  if (received < 0 && errno == EAGAIN && !exited()) return size_t{0};
  return Ended();
}

absl::StatusOr<PythonMessage> PythonProcess::Receive(int64_t deadline_us) {
  while (true) {
    uint32_t size = 0;
    if (num_received_ < header_.size()) {
      ASSIGN_OR_RETURN(const size_t received,
                       ReceiveSome(header_.data() + num_received_,
                                   header_.size() - num_received_));
      num_received_ += received;
    }
    std::memcpy(&size, header_.data(), sizeof(size));
    if (num_received_ >= header_.size()) {
      if (size > kMaxPythonMessageBytes) {
        return absl::InternalError(fmt::format(
            "its Python process sent a message of {} bytes; at most {}", size,
            kMaxPythonMessageBytes));
      }
      const size_t have = num_received_ - header_.size();
      if (have == size) break;
      const size_t wanted = std::min<size_t>(size - have, kChunkBytes);
      payload_.resize(have + wanted);
      ASSIGN_OR_RETURN(const size_t received,
                       ReceiveSome(payload_.data() + have, wanted));
      num_received_ += received;
      if (received > 0) continue;
    }
    if (!AwaitSocket(POLLIN, deadline_us)) {
      return absl::DeadlineExceededError("its Python process does not answer");
    }
  }
  num_received_ = 0;
  return PythonMessage{static_cast<PythonMessageType>(header_.back()),
                       std::exchange(payload_, {})};
}

void PythonProcess::Watch() {
  std::string line;
  pollfd files[] = {{printed_.get(), POLLIN, 0}, {process_.get(), POLLIN, 0}};
  do {
    const bool may_print = files[0].fd >= 0;
    poll(files, 2, /*timeout=*/-1);
    if (may_print && files[0].revents != 0 && !ReadPrinted(line)) {
      files[0].fd = -1;  // the script closed its standard files
    }
  } while (files[1].revents == 0);
  if (files[0].fd >= 0) {
    ReadPrinted(line);
  }
  if (!line.empty()) LogLine(line);
  exited_ = true;
  on_exit_();
}

// All there is now. False at the end of the file.
bool PythonProcess::ReadPrinted(std::string& line) {
  std::array<char, 16384> bytes;
  // A process that never stops printing must not keep its end from being seen.
  for (int i = 0; i < 64; ++i) {
    const ssize_t size = read(printed_.get(), bytes.data(), bytes.size());
    if (size == 0) return false;
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    for (const char letter :
         std::string_view(bytes.data(), static_cast<size_t>(size))) {
      if (letter != '\n') {
        if (line.size() < kMaxLineBytes) line.push_back(letter);
        continue;
      }
      LogLine(line);
      line.clear();
    }
  }
  return true;
}

void PythonProcess::LogLine(std::string_view line) {
  LogLevel level = LogLevel::kInfo;
  if (line.size() >= 2 && line[0] == kLogMark) {
    level = LevelOf(line[1]);
    line.remove_prefix(2);
  }
  const std::string printable = Printable(line);
  Log(level, fmt::format("{}: {}", name_, printable));
  const MutexLock lock(&printing_);
  if (!printable.empty()) last_line_ = printable;
}

}  // namespace quaver
