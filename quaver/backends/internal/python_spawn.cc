// See python_spawn.h.
#include "quaver/backends/internal/python_spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "quaver/backends/internal/python_source.h"
#include "quaver/base/file.h"

namespace quaver {
namespace {

// Modules come on standard input, separated by zeros, so that none of them
// needs a file. The first one knows how to say that a later one failed.
constexpr char kBoot[] =
    "import sys, types\n"
    "names, loaded = sys.argv[1:], []\n"
    "try:\n"
    "  for name, source in zip(names, sys.stdin.buffer.read().split(b'\\0')):\n"
    "    module = types.ModuleType(name)\n"
    "    sys.modules[name] = module\n"
    "    exec(compile(source, name + '.py', 'exec'), module.__dict__)\n"
    "    loaded.append(module)\n"
    "except Exception as error:\n"
    "  loaded[0].refuse(error)\n"
    "loaded[-1].main()\n";

// Descriptors of the child are moved out of the way of 0 to 3 at first.
constexpr int kLowest = 10;
constexpr int kSocket = 3;

absl::StatusOr<Descriptor> MoveUp(Descriptor low) {
  Descriptor moved(fcntl(low.get(), F_DUPFD_CLOEXEC, kLowest));
  if (moved.get() < 0) return ErrnoStatus(errno, "a Python process's file");
  return moved;
}

absl::StatusOr<Descriptor> MakeProgram() {
  Descriptor file(memfd_create("quaver", MFD_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus(errno, "memfd_create");
  std::string program;
  for (const PythonSource& source : PythonSources()) {
    if (!program.empty()) program.push_back('\0');
    program += source.content;
  }
  const ssize_t written = write(file.get(), program.data(), program.size());
  if (written != static_cast<ssize_t>(program.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    return ErrnoStatus(errno, "a Python process's program");
  }
  return MoveUp(std::move(file));
}

struct ChildPlan {
  const char* interpreter;
  char* const* arguments;
  int program;
  int printed;
  int socket;
  pid_t parent;
  const cpu_set_t* cores;  // null: as they are
};

// Between fork and exec: system calls only, as other threads may have held
// any lock.
[[noreturn]] void BecomeChild(const ChildPlan& plan) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent) _exit(127);  // died before it was asked
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (plan.cores != nullptr) {
    sched_setaffinity(0, sizeof(*plan.cores), plan.cores);
  }
  if (dup2(plan.program, 0) < 0 || dup2(plan.printed, 1) < 0 ||
      dup2(plan.printed, 2) < 0 || dup2(plan.socket, kSocket) < 0) {
    _exit(127);
  }
  if (close_range(kSocket + 1, UINT_MAX, 0) != 0) {
    const long most = sysconf(_SC_OPEN_MAX);
    for (int i = kSocket + 1; i < most; ++i) close(i);
  }
  execv(plan.interpreter, plan.arguments);
  _exit(127);
}

// The i-th core of the affinity mask, modulo their number.
cpu_set_t OneCore(int index) {
  cpu_set_t all;
  CPU_ZERO(&all);
  sched_getaffinity(0, sizeof(all), &all);
  cpu_set_t one;
  CPU_ZERO(&one);
  int skip = index % std::max(1, CPU_COUNT(&all));
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &all) && skip-- == 0) CPU_SET(core, &one);
  }
  return one;
}

bool IsExecutable(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

std::string FindInPath(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string_view folders = path == nullptr ? "/usr/bin:/bin" : path;
  while (!folders.empty()) {
    const size_t end = std::min(folders.find(':'), folders.size());
    const std::string found =
        fmt::format("{}/{}", folders.substr(0, end), program);
    if (IsExecutable(found)) return found;
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return "";
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept
    : number_(std::exchange(other.number_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

absl::StatusOr<std::string> FindInterpreter(std::string_view interpreter,
                                            std::string_view model_folder) {
  constexpr std::string_view kModelFolder = "$$TRITON_MODEL_DIRECTORY";
  std::string path(interpreter);
  if (const size_t at = path.find(kModelFolder); at != std::string::npos) {
    path.replace(at, kModelFolder.size(), model_folder);
  }
  if (path.find('/') == std::string::npos) {
    const std::string found = FindInPath(path);
    if (!found.empty()) return found;
  }
  for (const char* inside : {"", "/bin/python3", "/bin/python"}) {
    if (IsExecutable(path + inside)) return path + inside;
  }
  return absl::InvalidArgumentError(fmt::format(
      "there is no Python interpreter \"{}\": name a program, or the unpacked "
      "folder of an environment that has bin/python3",
      path));
}

absl::StatusOr<SpawnedPython> SpawnPython(const PythonProcessConfig& config) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return ErrnoStatus(errno, "socketpair");
  }
  SpawnedPython spawned;
  spawned.socket = Descriptor(sockets[0]);
  ASSIGN_OR_RETURN(const Descriptor socket, MoveUp(Descriptor(sockets[1])));
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  spawned.printed = Descriptor(pipes[0]);
  ASSIGN_OR_RETURN(const Descriptor printed, MoveUp(Descriptor(pipes[1])));
  ASSIGN_OR_RETURN(const Descriptor program, MakeProgram());
  if (fcntl(spawned.printed.get(), F_SETFL, O_NONBLOCK) != 0) {
    return ErrnoStatus(errno, "fcntl");
  }

  // -B: a repository may be read-only, and is watched for changes.
  std::vector<std::string> words = {config.interpreter, "-B", "-u", "-c",
                                    kBoot};
  for (const PythonSource& source : PythonSources()) {
    words.emplace_back(source.name.substr(0, source.name.rfind('.')));
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const cpu_set_t core = OneCore(std::max(0, config.core));
  const ChildPlan plan = {.interpreter = config.interpreter.c_str(),
                          .arguments = arguments.data(),
                          .program = program.get(),
                          .printed = printed.get(),
                          .socket = socket.get(),
                          .parent = getpid(),
                          .cores = config.core < 0 ? nullptr : &core};
  spawned.pid = fork();
  if (spawned.pid == 0) BecomeChild(plan);
  if (spawned.pid < 0) return ErrnoStatus(errno, "a Python process: fork");
  setpgid(spawned.pid, spawned.pid);  // whoever is first; kill needs it
  // glibc 2.36 declares pidfd_open without C linkage.
  spawned.process =
      Descriptor(static_cast<int>(syscall(SYS_pidfd_open, spawned.pid, 0)));
  return spawned;
}

}  // namespace quaver
