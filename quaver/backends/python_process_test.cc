// Tests of Python models that raise, hang, print, leak or die.
#include <fcntl.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <sys/wait.h>

#include "quaver/backends/python_test_model.h"
#include "quaver/base/clock.h"
#include "quaver/base/file.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// What a script does for the first value that it is given; answers with its
// process id.
constexpr char kMisbehaves[] =
    "  def execute(self, requests):\n"
    "    todo = int(read(requests[0])[0])\n"
    "    if todo == 1: raise ValueError('so bad')\n"
    "    if todo == 2: time.sleep(1e6)\n"
    "    if todo == 3: os._exit(3)\n"
    "    if todo == 4: os.kill(os.getpid(), 9)\n"
    "    if todo == 5: sys.exit(5)\n"
    "    if todo == 6: os.write(3, b'\\0\\0\\0\\0\\7')\n"
    "    if todo == 7: os.write(3, b'\\xff\\xff\\xff\\xff\\7')\n"
    "    if todo == 8: return [None]\n"
    "    if todo == 9: return []\n"
    "    if todo == 10: return [answer([1], 'X')]\n"
    "    if todo == 11: return [pb_utils.InferenceResponse([\n"
    "        pb_utils.Tensor('OUT', np.array([1.5]))])]\n"
    "    if todo == 12: np.ones(1 << 34)\n"
    "    if todo == 13: self.undefined()\n"
    "    if todo == 14: return 5\n"
    "    return [answer([os.getpid()])]\n";

// The model's process; asks until it is there again.
int32_t ProcessOf(Servable& model) {
  while (true) {
    const auto answer = Ask(model, {0});
    if (answer.ok()) return (*answer)[0];
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable)
        << answer.status();
  }
}

TEST(PythonProcessTest, SaysWhatTheScriptDidWrongAndGoesOn) {
  PythonTestModel script(kMisbehaves);
  script.config.max_memory_bytes = int64_t{8} << 30;
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const int32_t process = ProcessOf(**model);
  const std::pair<int32_t, const char*> cases[] = {
      {1, "model m: ValueError: so bad"},
      {8, "not an InferenceResponse"},
      {9, "execute got 1 requests and returned 0 responses"},
      {10, "model m: output X is not in its configuration"},
      {11, "model m: output OUT is FP64[1], expected INT32[-1]"},
      {12, "MemoryError"},
      {13, "AttributeError: 'TritonPythonModel' object has no attribute"},
      {14, "execute returned int, not a list"}};
  for (const auto& [todo, expected] : cases) {
    const absl::Status status = Ask(**model, {todo}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_THAT(Message(status), HasSubstr(expected));
    EXPECT_EQ(ProcessOf(**model), process) << todo;
  }
}

TEST(PythonProcessTest, StartsAnotherProcessWhenOneDies) {
  const PythonTestModel script(kMisbehaves);
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const std::pair<int32_t, const char*> cases[] = {
      {3, "model m: its Python process exited with status 3"},
      {4, "model m: its Python process was killed by signal 9 (Killed)"},
      {5, "model m: its Python process exited with status 5"},
      {6, "model m: its Python process broke the protocol"},
      {7, "model m: its Python process sent a message of 4294967295 bytes"}};
  for (const auto& [todo, expected] : cases) {
    const int32_t process = ProcessOf(**model);
    const absl::Status status = Ask(**model, {todo}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(Message(status), StartsWith(expected));
    EXPECT_NE(ProcessOf(**model), process) << todo;
    EXPECT_EQ(kill(process, 0), -1);
  }
}

TEST(PythonProcessTest, NoticesTheDeathOfAnIdleProcess) {
  const PythonTestModel script(kMisbehaves);
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const int32_t process = ProcessOf(**model);
  ASSERT_EQ(kill(process, SIGKILL), 0);
  while (kill(process, 0) == 0) std::this_thread::yield();  // no call needed
  EXPECT_NE(ProcessOf(**model), process);
}

TEST(PythonProcessTest, AnswersAtTheDeadlineAndKillsAtTheLimit) {
  PythonTestModel script(kMisbehaves);
  script.config.execute_limit_us = 500'000;
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const int32_t process = ProcessOf(**model);
  CallOptions options;
  options.deadline_us = Clock::Real().NowUs() + 100'000;
  EXPECT_EQ(Ask(**model, {2}, options).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(Clock::Real().NowUs(), options.deadline_us);
  EXPECT_NE(ProcessOf(**model), process);
}

TEST(PythonProcessTest, KillsWhatHangsWithoutADeadline) {
  PythonTestModel script(kMisbehaves);
  script.config.execute_limit_us = 100'000;
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const absl::Status status = Ask(**model, {2}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(status), HasSubstr("did not answer within"));
}

TEST(PythonProcessTest, TellsTheScriptThatItsCallerHasLeft) {
  PythonTestModel script(
      "  def execute(self, requests):\n"
      "    if read(requests[0])[0] == 1:\n"
      "      while not requests[0].is_cancelled(): time.sleep(0.001)\n"
      "    return [answer([os.getpid()])]\n");
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const int32_t process = ProcessOf(**model);
  CallOptions late;
  late.deadline_us = Clock::Real().NowUs() + 50'000;
  EXPECT_EQ(Ask(**model, {1}, late).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ProcessOf(**model), process);  // it answered, nobody killed it

  std::atomic<bool> cancelled{false};
  for (const int64_t deadline_us :
       {kNever, Clock::Real().NowUs() + 600'000'000}) {
    CallOptions options = {.deadline_us = deadline_us, .cancelled = &cancelled};
    cancelled = false;
    std::thread caller([&] {
      const auto status = Ask(**model, {1}, options).status();
      EXPECT_TRUE(absl::IsCancelled(status) || status.ok()) << status;
    });
    while ((*model)->counts().batcher->num_running == 0) {
      std::this_thread::yield();
    }
    cancelled = true;
    caller.join();
    EXPECT_EQ(ProcessOf(**model), process);
  }
}

TEST(PythonProcessTest, GoesOnWhenItsCallersHaveLeft) {
  const PythonTestModel script(
      "  def initialize(self, args):\n"
      "    self.go = args['model_repository'] + '/go'\n"
      "  def execute(self, requests):\n"
      "    if read(requests[0])[0] == 1:\n"
      "      while not os.path.exists(self.go): time.sleep(0.001)\n"
      "    return [answer([os.getpid()])]\n");
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const int32_t process = ProcessOf(**model);
  std::atomic<bool> cancelled{false};
  std::thread caller([&] {
    const CallOptions options = {.cancelled = &cancelled};
    EXPECT_TRUE(absl::IsCancelled(Ask(**model, {1}, options).status()));
  });
  while ((*model)->counts().batcher->num_running == 0) {
    std::this_thread::yield();
  }
  cancelled = true;
  caller.join();  // while the script still works
  EXPECT_EQ((*model)->counts().batcher->num_running, 1);
  std::ofstream(script.Path("m/go")).flush();
  EXPECT_EQ(ProcessOf(**model), process);
}

TEST(PythonProcessTest, EndsWithoutWhatNobodyWaitsFor) {
  PythonTestModel script(kMisbehaves);
  script.config.finalize_limit_us = 1'000;
  auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  CallOptions late;
  late.deadline_us = Clock::Real().NowUs() + 50'000;
  EXPECT_TRUE(absl::IsDeadlineExceeded(Ask(**model, {2}, late).status()));
  model->reset();  // the script hangs
}

TEST(PythonProcessTest, LogsWhatTheScriptPrints) {
  PythonTestModel script(
      "  def execute(self, requests):\n"
      "    print('to stdout')\n"
      "    print('to stderr', file=sys.stderr)\n"
      "    os.system('echo of a child')\n"
      "    pb_utils.Logger.log_warn('a warning')\n"
      "    sys.stdout.write('x' * 5000 + '\\n\\x1b[31mred\\n')\n"
      "    return [answer([1])]\n"
      "  def finalize(self):\n"
      "    print('the end', end='')\n");
  testing::internal::CaptureStderr();
  {
    const auto model = script.Create();
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_THAT(*Ask(**model, {1}), ElementsAre(1));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  for (const char* line :
       {"info m_0_0: to stdout\n", "info m_0_0: to stderr\n",
        "info m_0_0: of a child\n", "warning m_0_0: a warning\n",
        "info m_0_0: ?[31mred\n", "info m_0_0: the end\n"}) {
    EXPECT_THAT(log, HasSubstr(line));
  }
  EXPECT_THAT(log, HasSubstr(std::string(4096, 'x') + "\n"));
}

TEST(PythonProcessTest, RefusesScriptsThatDoNotStart) {
  PythonTestModel script("  pass\n");
  EXPECT_EQ(Message(script.Create().status()),
            "model m: TritonModelException: TritonPythonModel has no method "
            "execute");
  script.WriteScript("class Other: pass\n");
  EXPECT_THAT(Message(script.Create().status()),
              HasSubstr("model.py has no class TritonPythonModel"));
  script.WriteScript("def broken(:\n");
  EXPECT_THAT(Message(script.Create().status()), HasSubstr("SyntaxError"));
  script.WriteScript("import os\nos._exit(4)\n");
  EXPECT_THAT(Message(script.Create().status()),
              HasSubstr("its Python process exited with status 4"));
  script.WriteScript(
      "class TritonPythonModel:\n"
      "  def execute(self, requests): pass\n"
      "  def initialize(self, args): raise KeyError('weights')\n");
  const absl::Status raised = script.Create().status();
  EXPECT_EQ(raised.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Message(raised), "model m: KeyError: 'weights'");
  script.config.start_limit_us = 300'000;
  script.WriteScript("import time\ntime.sleep(1e6)\n");
  EXPECT_THAT(Message(script.Create().status()),
              HasSubstr("its Python process does not answer"));
  script.config.script = "other.py";
  const absl::Status absent = script.Create().status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(absent), HasSubstr("m/1/other.py"));
}

TEST(PythonProcessTest, NamesAnInterpreterThatIsNone) {
  PythonTestModel script(kMisbehaves);
  script.config.interpreter = "$$TRITON_MODEL_DIRECTORY/env";
  const absl::Status absent = script.Create().status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(absent), HasSubstr("there is no Python interpreter \"" +
                                         script.Path("m/env") + "\""));
  // An environment in the model's folder, without numpy.
  const std::string program = script.Path("m/env/bin/python3");
  std::filesystem::create_directories(script.Path("m/env/bin"));
  std::ofstream(program) << "#!/bin/sh\nexec python3 -I -S \"$@\"\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const absl::Status bare = script.Create().status();
  EXPECT_THAT(Message(bare), HasSubstr("has no numpy"));
}

TEST(PythonProcessTest, SaysSoWhenItFailsAgainAndAgain) {
  PythonTestModel script(
      "  def initialize(self, args):\n"
      "    marker = args['model_repository'] + '/was_here'\n"
      "    if os.path.exists(marker): raise RuntimeError('worn out')\n"
      "    open(marker, 'w').close()\n"
      "  def execute(self, requests):\n"
      "    os._exit(1)\n");
  script.config.max_failures = 3;
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(Message(Ask(**model, {0}).status()),
              HasSubstr("exited with status 1"));
  // The next one waits for the restarts, and learns that they fail.
  const absl::Status status = Ask(**model, {0}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Message(status),
            "model m: it failed 3 times in a row: RuntimeError: worn out");
  // It is tried further, and works as soon as it can.
  script.WriteScript(
      "import numpy as np, triton_python_backend_utils as pb_utils\n"
      "class TritonPythonModel:\n"
      "  def execute(self, requests):\n"
      "    return [pb_utils.InferenceResponse([pb_utils.Tensor('OUT',\n"
      "        np.array([7], np.int32))])]\n");
  EXPECT_EQ(ProcessOf(**model), 7);
}

TEST(PythonProcessTest, FinalizesAndDoesNotWaitForEver) {
  PythonTestModel script(
      "  def initialize(self, args):\n"
      "    self.marker = args['model_repository'] + '/done'\n"
      "  def execute(self, requests):\n"
      "    return [answer([os.getpid()])]\n"
      "  def finalize(self):\n"
      "    open(self.marker, 'w').close()\n"
      "    time.sleep(1e6)\n");
  script.config.finalize_limit_us = 100'000;
  auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const int32_t process = ProcessOf(**model);
  model->reset();
  EXPECT_TRUE(std::filesystem::exists(script.Path("m/done")));
  EXPECT_EQ(kill(process, 0), -1);
}

bool IsAlive(int32_t process) {
  const auto stat = ReadFile(fmt::format("/proc/{}/stat", process));
  return stat.ok() && stat->find(") Z ") == std::string::npos;
}

TEST(PythonProcessTest, DiesWithTheServer) {
  const PythonTestModel script(
      "  def execute(self, requests):\n"
      "    return [answer([os.getpid()])]\n");
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  const pid_t server = fork();
  if (server == 0) {
    const auto model = script.Create();
    const int32_t process = model.ok() ? ProcessOf(**model) : 0;
    if (write(pipe_ends[1], &process, sizeof(process)) < 0) _exit(1);
    kill(getpid(), SIGKILL);
  }
  int32_t process = 0;
  ASSERT_EQ(read(pipe_ends[0], &process, sizeof(process)),
            static_cast<ssize_t>(sizeof(process)));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  ASSERT_EQ(waitpid(server, nullptr, 0), server);
  ASSERT_GT(process, 0);
  while (IsAlive(process)) std::this_thread::yield();
}

TEST(PythonProcessTest, StaysUpWhileProcessesDieUnderLoad) {
  PythonTestModel script(
      "  def execute(self, requests):\n"
      "    if any(read(r)[0] % 40 == 39 for r in requests): os._exit(1)\n"
      "    return [answer(read(r)) for r in requests]\n");
  script.config.num_instances = 2;
  script.config.max_batch_size = 4;
  script.config.batching.emplace();
  script.config.max_failures = 1000;
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  std::atomic<int> num_failed{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      for (int32_t k = i * 20; k < i * 20 + 20; ++k) {
        const auto seen = Ask(**model, {k});
        if (seen.ok()) {
          EXPECT_THAT(*seen, ElementsAre(k));
        } else {
          EXPECT_TRUE(absl::IsUnavailable(seen.status())) << seen.status();
          ++num_failed;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_GE(num_failed, 4);   // each that kills
  EXPECT_LE(num_failed, 16);  // and at most three others in its batch
}

}  // namespace
}  // namespace quaver
