// How a Python process is started: its program, its files, its group.
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

#include "quaver/base/status.h"

namespace quaver {

// An open file of ours, closed at the end.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return number_; }

 private:
  int number_ = -1;
};

struct PythonProcessConfig {
  std::string interpreter;  // an executable file
  std::string name;         // of the instance, for the log
  int core = -1;            // counted within the affinity mask; -1: any
};

// The path of an interpreter. InvalidArgument, naming it, when there is none.
absl::StatusOr<std::string> FindInterpreter(std::string_view interpreter,
                                            std::string_view model_folder);

struct SpawnedPython {
  pid_t pid = -1;
  Descriptor process;  // pidfd
  Descriptor socket;   // our end
  Descriptor printed;  // what it writes to standard output and error
};

// A process group of its own that runs quaver_child.main: descriptor 3 is its
// end of the socket, standard input is empty, all else is closed. It is killed
// when the calling thread ends.
absl::StatusOr<SpawnedPython> SpawnPython(const PythonProcessConfig& config);

}  // namespace quaver
