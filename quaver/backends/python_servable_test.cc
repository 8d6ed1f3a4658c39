// Tests of Python models: tensors, arguments, batches, configuration.
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

TEST(PythonServableTest, CompletesAConfigurationWithoutTensors) {
  PythonTestModel script(
      "  @staticmethod\n"
      "  def auto_complete_config(config):\n"
      "    config.add_input({'name': 'IN', 'data_type': 'TYPE_INT32',\n"
      "                      'dims': [2], 'optional': True})\n"
      "    config.add_output({'name': 'OUT', 'data_type': 'TYPE_INT32',\n"
      "                       'dims': []})\n"
      "    config.set_max_batch_size(4)\n"
      "    config.set_dynamic_batching()\n"
      "    return config\n"
      "  def initialize(self, args):\n"
      "    self.config = json.loads(args['model_config'])\n"
      "  def execute(self, requests):\n"
      "    return [answer([self.config['max_batch_size']])]\n");
  script.config.inputs = script.config.outputs = {};
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->max_batch_size(), 4);
  const std::vector<TensorSpec> inputs = (*model)->inputs();
  ASSERT_EQ(inputs.size(), 1u);
  EXPECT_EQ(inputs[0].shape, (std::vector<int64_t>{-1, 2}));
  EXPECT_TRUE(inputs[0].optional);
  EXPECT_EQ((*model)->outputs()[0].shape, (std::vector<int64_t>{-1}));
  const auto seen = (*model)->Infer(Tensors{});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_THAT(Int32Values((*seen)[0]), ElementsAre(4));
}

TEST(PythonServableTest, RefusesAnIncompleteConfiguration) {
  PythonTestModel script(
      "  @staticmethod\n"
      "  def auto_complete_config(config):\n"
      "    config.add_input({'name': 'IN', 'dims': [2]})\n"
      "    return config\n"
      "  def execute(self, requests):\n"
      "    return []\n");
  script.config.outputs.clear();
  EXPECT_THAT(Message(script.Create().status()),
              HasSubstr("model m: ValueError: an input has ['data_type', "
                        "'dims', 'name']"));
  const PythonTestModel silent(
      "  def execute(self, requests):\n"
      "    return []\n");
  PythonConfig config = silent.config;
  config.inputs.clear();
  EXPECT_EQ(Message(PythonServable::Create(config).status()),
            "model m: neither the configuration nor auto_complete_config names "
            "an input");
}

}  // namespace
}  // namespace quaver
