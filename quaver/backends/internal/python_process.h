// A process that runs the Python side of a model: starting, talking, ending.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/base/thread_annotations.h"
#include <sys/types.h>

#include "quaver/backends/internal/python_protocol.h"
#include "quaver/backends/internal/python_spawn.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"

namespace quaver {

// Thread-safe but for Receive, which one thread at a time may call.
class PythonProcess {
 public:
  // The process is killed when the calling thread ends. `on_exit` is called
  // once, from a thread of this object, when the process has died. It may not
  // destroy the object.
  static absl::StatusOr<std::unique_ptr<PythonProcess>> Spawn(
      const PythonProcessConfig& config, std::function<void()> on_exit);
  ~PythonProcess();  // Stop

  // A message of these parts. Unavailable when the process has died. At the
  // deadline (of Clock::Real()) the process is killed, as half a message may
  // be sent; DeadlineExceeded.
  absl::Status Send(PythonMessageType type,
                    std::initializer_list<std::string_view> parts,
                    int64_t deadline_us) ABSL_LOCKS_EXCLUDED(sending_);
  // The next message. DeadlineExceeded when none is complete by then, which
  // loses nothing; Unavailable when the process has died; Internal when it
  // sent what is no message.
  absl::StatusOr<PythonMessage> Receive(int64_t deadline_us);

  // Kills it, and all that it started in its process group; does not wait.
  void Kill() const;
  // Kills it; from then on `on_exit` is not called any more.
  void Stop();
  pid_t pid() const { return pid_; }
  bool exited() const { return exited_.load(); }
  // "its Python process was killed by signal 9 (Killed)", with the last line
  // that it printed.
  std::string HowItEnded() const ABSL_LOCKS_EXCLUDED(printing_);

 private:
  PythonProcess(std::string name, std::function<void()> on_exit)
      : name_(std::move(name)), on_exit_(std::move(on_exit)) {}
  absl::Status SendAll(std::string_view bytes, int64_t deadline_us)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_);
  // Until the socket is ready. False at the deadline.
  bool AwaitSocket(short events, int64_t deadline_us) const;
  absl::StatusOr<size_t> ReceiveSome(char* to, size_t size);
  absl::Status Ended() const;
  // Logs what the process prints, until its end.
  void Watch() ABSL_LOCKS_EXCLUDED(printing_);
  bool ReadPrinted(std::string& line) ABSL_LOCKS_EXCLUDED(printing_);
  void LogLine(std::string_view line) ABSL_LOCKS_EXCLUDED(printing_);

  const std::string name_;
  const std::function<void()> on_exit_;
  pid_t pid_ = -1;
  Descriptor process_;  // readable when it has died
  Descriptor socket_;
  Descriptor printed_;
  std::atomic<bool> exited_{false};

  Mutex sending_;
  // Of a message that has not come as a whole.
  std::array<char, kPythonHeaderBytes> header_ = {};
  size_t num_received_ = 0;  // header and payload
  std::string payload_;

  mutable Mutex printing_;
  std::string last_line_ ABSL_GUARDED_BY(printing_);
  std::thread watcher_;
};

}  // namespace quaver
