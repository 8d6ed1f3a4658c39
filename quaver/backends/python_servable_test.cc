// Tests of Python models: tensors, arguments, batches, instances.
#include "quaver/backends/python_servable.h"

#include <thread>

#include <gmock/gmock.h>

#include "quaver/backends/python_test_model.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(PythonServableTest, AnswersWithWhatTheScriptComputes) {
  const PythonTestModel script(
      "  def execute(self, requests):\n"
      "    return [answer(read(r) * 2) for r in requests]\n");
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto doubled = Ask(**model, {1, -5});
  ASSERT_TRUE(doubled.ok()) << doubled.status();
  EXPECT_THAT(*doubled, ElementsAre(2, -10));
  EXPECT_THAT(*Ask(**model, {}), ElementsAre());
  EXPECT_EQ((*model)->counts().batcher->num_succeeded, 2u);
}

TEST(PythonServableTest, CarriesEveryDatatype) {
  const PythonTestModel script(
      "  def execute(self, requests):\n"
      "    return [pb_utils.InferenceResponse(r.inputs()) for r in "
      "requests]\n");
  PythonConfig config = script.config;
  config.inputs.clear();
  Tensors request;
  constexpr size_t kWidths[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2};
  for (size_t i = 0; i < std::size(kWidths); ++i) {
    const auto datatype = static_cast<Datatype>(i);
    config.inputs.push_back({std::to_string(i), datatype, {-1, 2}});
    request.push_back({std::to_string(i),
                       datatype,
                       {3, 2},
                       {},
                       std::vector<std::byte>(6 * kWidths[i], std::byte{1})});
  }
  config.inputs.push_back({"TEXT", Datatype::kBytes, {-1}});
  request.push_back({"TEXT", Datatype::kBytes, {3}, {"", "é", {'a', 0}}, {}});
  config.outputs = config.inputs;
  const auto model = PythonServable::Create(config);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto outputs = (*model)->Infer(request);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), request.size());
  for (size_t i = 0; i < request.size(); ++i) {
    EXPECT_EQ((*outputs)[i].datatype, request[i].datatype) << i;
    EXPECT_EQ((*outputs)[i].shape, request[i].shape) << i;
    EXPECT_EQ((*outputs)[i].raw, request[i].raw) << i;
    EXPECT_EQ((*outputs)[i].strings, request[i].strings) << i;
  }
}

TEST(PythonServableTest, GivesTheScriptWhatTritonGives) {
  PythonTestModel script(
      "  def initialize(self, args):\n"
      "    self.args = args\n"
      "  def execute(self, requests):\n"
      "    r = requests[0]\n"
      "    seen = dict(self.args, id=r.request_id(), files=sorted(\n"
      "        os.readlink('/proc/self/fd/' + each)[:5]\n"
      "        for each in os.listdir('/proc/self/fd')\n"
      "        if os.path.islink('/proc/self/fd/' + each)),\n"
      "        wanted=r.requested_output_names(), stdin=sys.stdin.read(),\n"
      "        parameters=json.loads(r.parameters()), timeout=r.timeout(),\n"
      "        dtype=[t.triton_dtype() for t in r.inputs()],\n"
      "        shape=[t.shape() for t in r.inputs()])\n"
      "    return [pb_utils.InferenceResponse([pb_utils.Tensor(\n"
      "        'OUT', np.array([json.dumps(seen)], np.object_))])]\n");
  script.config.model_config =
      R"({"name": "m", "max_batch_size": 0, "output": [{"name": "OUT"}]})";
  script.config.outputs = {{"OUT", Datatype::kBytes, {1}}};
  script.config.version = 7;
  // A file that would be inherited, as it has no FD_CLOEXEC.
  const int open_pipe = dup(1);
  const auto model = script.Create();
  close(open_pipe);
  ASSERT_TRUE(model.ok()) << model.status();
  CallOptions options = {.timeout_us = 5, .request_id = "q1"};
  options.parameters = R"({"lang":"en"})";
  const auto outputs =
      (*model)->Infer({Int32s("IN", {1, 2})}, options, nullptr);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  const std::string seen = (*outputs)[0].strings[0];
  EXPECT_THAT(seen, HasSubstr(R"("model_name": "m", "id": "q1")"));
  EXPECT_THAT(seen, HasSubstr(R"("model_instance_name": "m_0_0", )"
                              R"("model_instance_kind": "CPU", )"
                              R"("model_instance_device_id": "0")"));
  EXPECT_THAT(seen, HasSubstr(R"("model_version": "7")"));
  EXPECT_THAT(seen, HasSubstr("\"model_repository\": \"" +
                              script.config.model_folder + "\""));
  EXPECT_THAT(seen, HasSubstr(R"("wanted": ["OUT"], "stdin": "")"));
  EXPECT_THAT(seen, HasSubstr(R"("parameters": {"lang": "en"}, "timeout": 5)"));
  EXPECT_THAT(seen, HasSubstr(R"("dtype": [8], "shape": [[2]])"));
  EXPECT_THAT(seen,
              HasSubstr(R"("files": ["/memf", "pipe:", "pipe:", "socke"])"));
}

constexpr char kCounts[] =
    "  def execute(self, requests):\n"
    "    return [answer(np.full(read(r).shape, len(requests)))\n"
    "            for r in requests]\n";

TEST(PythonServableTest, GivesABatchAsOneListOfRequests) {
  PythonTestModel script(kCounts);
  script.config.max_batch_size = 8;
  // Closes when four are there, long before the delay is over.
  script.config.batching = {.preferred_batch_sizes = {4},
                            .max_queue_delay_us = 600'000'000};
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&, i] {
      const auto seen = Ask(**model, {i});
      ASSERT_TRUE(seen.ok()) << seen.status();
      EXPECT_THAT(*seen, ElementsAre(4));
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// The batch sizes that calls of shapes [1, 2] and [1, 3] see which wait for the
// same process.
std::vector<int32_t> BatchSizesOfTwoShapes(
    const std::vector<std::string>& ragged) {
  PythonTestModel script(
      "  def initialize(self, args):\n"
      "    self.go = args['model_repository'] + '/go'\n"
      "  def execute(self, requests):\n"
      "    if read(requests[0]).shape[1] == 1:\n"
      "      while not os.path.exists(self.go): time.sleep(0.001)\n"
      "    return [answer([len(requests)]) for r in requests]\n");
  script.config.inputs[0].shape = {-1, -1};
  script.config.max_batch_size = 8;
  script.config.batching.emplace();
  script.config.ragged = ragged;
  const auto model = script.Create();
  EXPECT_TRUE(model.ok()) << model.status();
  std::vector<int32_t> sizes(3);
  std::vector<std::thread> callers;
  const auto counts = [&] { return *(*model)->counts().batcher; };
  for (size_t i = 0; i < sizes.size(); ++i) {
    callers.emplace_back([&, i] {
      Tensor in = Int32s("IN", std::vector<int32_t>(i + 1));
      in.shape = {1, static_cast<int64_t>(i) + 1};
      const auto outputs = (*model)->Infer({in});
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      sizes[i] = Int32Values((*outputs)[0])[0];
    });
    while (counts().num_running == 0) std::this_thread::yield();
  }
  while (counts().num_queued < 2) std::this_thread::yield();
  std::ofstream(script.Path("m/go")).flush();
  for (std::thread& caller : callers) caller.join();
  return sizes;
}

TEST(PythonServableTest, BatchesRequestsOfOneShape) {
  EXPECT_THAT(BatchSizesOfTwoShapes({}), ElementsAre(1, 1, 1));
  EXPECT_THAT(BatchSizesOfTwoShapes({"IN"}), ElementsAre(1, 2, 2));
}

TEST(PythonServableTest, GivesOneRequestWithoutDynamicBatching) {
  PythonTestModel script(kCounts);
  script.config.max_batch_size = 8;
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&, i] {
      const auto seen = Ask(**model, {i, i});
      ASSERT_TRUE(seen.ok()) << seen.status();
      EXPECT_THAT(*seen, ElementsAre(1, 1));
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// Each call waits for the file that the other one makes.
constexpr char kMeets[] =
    "  def initialize(self, args):\n"
    "    self.folder = args['model_repository']\n"
    "    self.name = args['model_instance_name']\n"
    "    if os.path.exists(self.folder + '/full'):\n"
    "      raise RuntimeError('no more')\n"
    "  def execute(self, requests):\n"
    "    own, other = read(requests[0])\n"
    "    open(f'{self.folder}/{own}', 'w').close()\n"
    "    while not os.path.exists(f'{self.folder}/{other}'):\n"
    "      time.sleep(0.001)\n"
    "    return [answer([own])]\n"
    "  def finalize(self):\n"
    "    open(f'{self.folder}/{self.name}', 'w').close()\n";

void Meet(PythonServable& model) {
  std::thread other([&] { EXPECT_TRUE(Ask(model, {8, 9}).ok()); });
  EXPECT_TRUE(Ask(model, {9, 8}).ok());
  other.join();
}

TEST(PythonServableTest, RunsSeveralInstancesAtOnce) {
  PythonTestModel script(kMeets);
  script.config.num_instances = 2;
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  Meet(**model);
}

TEST(PythonServableTest, ChangesTheNumberOfItsInstances) {
  PythonTestModel script(kMeets);
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_TRUE((*model)->Resize(2).ok());
  Meet(**model);
  ASSERT_TRUE((*model)->Resize(1).ok());
  EXPECT_FALSE(std::filesystem::exists(script.Path("m/m_0_0")));
  EXPECT_TRUE(std::filesystem::exists(script.Path("m/m_0_1")));
  std::ofstream(script.Path("m/full")).flush();
  EXPECT_EQ(Message((*model)->Resize(3)), "model m: RuntimeError: no more");
  EXPECT_THAT(*Ask(**model, {8, 9}), ElementsAre(8));
}

TEST(PythonServableTest, WarmsEveryInstance) {
  PythonTestModel script(
      "  def initialize(self, args):\n"
      "    self.marker = (args['model_repository'] + '/warm_'\n"
      "                   + args['model_instance_name'])\n"
      "  def execute(self, requests):\n"
      "    if read(requests[0])[0] == 7: raise ValueError('so cold')\n"
      "    open(self.marker, 'w').close()\n"
      "    return [answer([1])]\n");
  script.config.num_instances = 3;
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_TRUE((*model)->WarmUp({Int32s("IN", {1})}).ok());
  for (const char* marker : {"m/warm_m_0_0", "m/warm_m_0_1", "m/warm_m_0_2"}) {
    EXPECT_TRUE(std::filesystem::exists(script.Path(marker))) << marker;
  }
  EXPECT_EQ(Message((*model)->WarmUp({Int32s("IN", {7})})),
            "model m: ValueError: so cold");
  EXPECT_TRUE(Ask(**model, {1}).ok());  // all were given back
}

TEST(PythonServableTest, SaysWhichOutputsAreWanted) {
  PythonTestModel script(
      "  def execute(self, requests):\n"
      "    return [pb_utils.InferenceResponse([\n"
      "        pb_utils.Tensor(name, np.zeros(1, np.int32))\n"
      "        for name in r.requested_output_names()]) for r in requests]\n");
  script.config.model_config =
      R"({"name": "m", "output": [{"name": "A"}, {"name": "B"}]})";
  script.config.outputs = {{"A", Datatype::kInt32, {-1}},
                           {"B", Datatype::kInt32, {-1}}};
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<std::string> wanted = {"B"};
  const auto one =
      (*model)->Infer({Int32s("IN", {1})}, {.outputs = wanted}, nullptr);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_EQ(one->size(), 1u);
  EXPECT_EQ((*one)[0].name, "B");
  const auto all = (*model)->Infer({Int32s("IN", {1})});
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->size(), 2u);
}

TEST(PythonServableTest, RefusesInputsThatDoNotFit) {
  PythonTestModel script(kCounts);
  script.config.max_batch_size = 2;
  script.config.inputs.push_back({"ALSO", Datatype::kInt32, {-1}, true});
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const Tensor in = Int32s("IN", {1});
  const std::pair<Tensors, const char*> cases[] = {
      {{}, "input IN is missing"},
      {{in, in}, "input IN is there twice"},
      {{in, Int32s("X", {1})}, "unexpected inference input 'X' for model 'm'"},
      {{{"IN", Datatype::kBytes, {1}, {"a"}, {}}},
       "input IN is BYTES[1], expected INT32[-1]"},
      {{Int32s("IN", {})},
       "inference request batch-size must be in [1, 2] for 'm', not 0"},
      {{Int32s("IN", {1, 2, 3})},
       "inference request batch-size must be in [1, 2] for 'm', not 3"},
      {{in, Int32s("ALSO", {1, 2})}, "input ALSO has 2 rows, others have 1"}};
  for (const auto& [request, expected] : cases) {
    const absl::Status status = (*model)->Infer(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Message(status), expected);
  }
  EXPECT_TRUE((*model)->Infer({in}).ok());
}

TEST(PythonServableTest, PassesOnTheErrorsOfSingleRequests) {
  PythonTestModel script(
      "  def execute(self, requests):\n"
      "    code = int(read(requests[0])[0])\n"
      "    error = pb_utils.TritonError('so not', code)\n"
      "    return [pb_utils.InferenceResponse(error=error)]\n");
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const absl::Status invalid = Ask(**model, {3}).status();
  EXPECT_EQ(invalid.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(invalid), "so not");
  EXPECT_EQ(Ask(**model, {4}).status().code(), absl::StatusCode::kUnavailable);
}

TEST(PythonServableTest, AwaitsACoroutine) {
  const PythonTestModel script(
      "  async def execute(self, requests):\n"
      "    import asyncio\n"
      "    await asyncio.sleep(0)\n"
      "    return [answer(read(r)) for r in requests]\n");
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(*Ask(**model, {3}), ElementsAre(3));
}

TEST(PythonServableTest, ImportsWhatLiesBesideTheScript) {
  const PythonTestModel script(
      "  def execute(self, requests):\n"
      "    import beside\n"
      "    from . import within\n"
      "    return [answer([beside.X, within.X])]\n");
  std::ofstream(script.Path("m/beside.py")) << "X = 5\n";
  std::ofstream(script.Path("m/1/within.py")) << "X = 6\n";
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto seen = Ask(**model, {1});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_THAT(*seen, ElementsAre(5, 6));
  // A repository is watched for changes, and may be read-only.
  EXPECT_FALSE(std::filesystem::exists(script.Path("m/1/__pycache__")));
}

}  // namespace
}  // namespace quaver
