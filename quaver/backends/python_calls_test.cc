// Tests of Python models that call other models.
#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "quaver/backends/python_test_model.h"
#include "quaver/base/clock.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Answers with what the model "double" or another one answers, or its error.
constexpr char kCalls[] =
    "  def execute(self, requests):\n"
    "    responses = []\n"
    "    for r in requests:\n"
    "      asked = pb_utils.InferenceRequest(\n"
    "          model_name='double', request_id='inner', inputs=r.inputs(),\n"
    "          requested_output_names=['OUT'], parameters={'k': 1})\n"
    "      got = asked.exec()\n"
    "      if got.has_error():\n"
    "        responses.append(pb_utils.InferenceResponse(error=got.error()))\n"
    "      else:\n"
    "        responses.append(pb_utils.InferenceResponse([\n"
    "            pb_utils.get_output_tensor_by_name(got, 'OUT')]))\n"
    "    return responses\n";

TEST(PythonCallsTest, GetsTheAnswersOfOtherModels) {
  PythonTestModel script(kCalls);
  script.config.call_model =
      [](const std::string& model, const std::string& version,
         const Tensors& request, const CallOptions& options) {
        EXPECT_EQ(model, "double");
        EXPECT_EQ(version, "");
        EXPECT_EQ(options.request_id, "inner");
        EXPECT_EQ(options.parameters, R"({"k": 1})");
        EXPECT_THAT(options.outputs, ElementsAre("OUT"));
        EXPECT_EQ(options.depth, 1);
        std::vector<int32_t> values = Int32Values(request[0]);
        for (int32_t& value : values) value *= 2;
        return Tensors{Int32s("MORE", {}), Int32s("OUT", values)};
      };
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto doubled = Ask(**model, {4, 5});
  ASSERT_TRUE(doubled.ok()) << doubled.status();
  EXPECT_THAT(*doubled, ElementsAre(8, 10));
}

TEST(PythonCallsTest, GetsTheErrorsOfOtherModels) {
  PythonTestModel script(kCalls);
  const auto alone = script.Create();
  ASSERT_TRUE(alone.ok()) << alone.status();
  const absl::Status unknown = Ask(**alone, {1}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Message(unknown),
            "Request for unknown model: 'double' is not found");
  script.config.call_model = [](const std::string&, const std::string&,
                                const Tensors&, const CallOptions&) {
    return Tensors{};  // without the output that was asked for
  };
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(Message(Ask(**model, {1}).status()),
            "unexpected inference output 'OUT' for model 'double'");
}

TEST(PythonCallsTest, AsksWhetherOtherModelsAreReady) {
  PythonTestModel script(
      "  def execute(self, requests):\n"
      "    return [answer([\n"
      "        pb_utils.is_model_ready('double'),\n"
      "        pb_utils.is_model_ready(model_name='double',\n"
      "                                model_version='3'),\n"
      "        pb_utils.is_model_ready('other')])]\n");
  const auto alone = script.Create();
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_THAT(*Ask(**alone, {0}), ElementsAre(0, 0, 0));
  script.config.is_ready = [](const std::string& model,
                              const std::string& version) {
    return model == "double" && version != "3";
  };
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(*Ask(**model, {0}), ElementsAre(1, 0, 0));
}

TEST(PythonCallsTest, RunsAsynchronousCallsAtOnce) {
  PythonTestModel script(
      "  async def execute(self, requests):\n"
      "    import asyncio\n"
      "    got = await asyncio.gather(*[\n"
      "        pb_utils.InferenceRequest(\n"
      "            model_name='meet', model_version=3, inputs=r.inputs(),\n"
      "            requested_output_names=['OUT']).async_exec()\n"
      "        for r in requests for _ in range(20)])\n"
      "    return [answer(np.concatenate(\n"
      "        [each.output_tensors()[0].as_numpy() for each in got]))]\n");
  std::atomic<int> num_there{0};
  script.config.call_model = [&](const std::string&, const std::string& version,
                                 const Tensors&, const CallOptions&) {
    EXPECT_EQ(version, "3");
    ++num_there;
    while (num_there < 20) std::this_thread::yield();  // each waits for all
    return Tensors{Int32s("OUT", {1})};
  };
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto seen = Ask(**model, {0});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->size(), 20u);
}

TEST(PythonCallsTest, EndsInnerCallsWithTheOuterOne) {
  PythonTestModel script(kCalls);
  std::atomic<bool> outer_cancelled{false};
  CallOptions options = {.cancelled = &outer_cancelled};
  options.deadline_us = Clock::Real().NowUs() + 600'000'000;
  std::atomic<bool> was_cancelled{false};
  script.config.call_model =
      [&](const std::string&, const std::string&, const Tensors&,
          const CallOptions& inner) -> absl::StatusOr<Tensors> {
    EXPECT_LE(inner.deadline_us, options.deadline_us);
    outer_cancelled = true;
    while (!inner.cancelled->load()) std::this_thread::yield();
    was_cancelled = true;
    return absl::CancelledError("nobody waits");
  };
  {
    const auto model = script.Create();
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(Ask(**model, {1}, options).status().code(),
              absl::StatusCode::kCancelled);
  }
  EXPECT_TRUE(was_cancelled);
}

TEST(PythonCallsTest, AModelThatCallsItselfDoesNotWaitForItself) {
  PythonTestModel script(kCalls);
  script.config.nested_wait_us = 20'000;
  PythonServable* self = nullptr;
  script.config.call_model = [&](const std::string&, const std::string&,
                                 const Tensors& request,
                                 const CallOptions& options) {
    return self->Infer(request, options, nullptr);
  };
  for (const int num_instances : {1, 3}) {
    script.config.num_instances = num_instances;
    const auto model = script.Create();
    ASSERT_TRUE(model.ok()) << model.status();
    self = model->get();
    const absl::Status status = Ask(**model, {1}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(Message(status), HasSubstr("all processes of model m were busy "
                                           "for 20 ms"));
  }
}

TEST(PythonCallsTest, BoundsHowDeepModelsCallEachOther) {
  const PythonTestModel script(kCalls);
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  const CallOptions deep = {.depth = PythonServable::kMaxDepth + 1};
  const absl::Status status = Ask(**model, {1}, deep).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), "models call each other more than 8 deep");
}

TEST(PythonCallsTest, CallsOnlyWhileItIsAsked) {
  PythonTestModel script(
      "  def initialize(self, args):\n"
      "    pb_utils.InferenceRequest(model_name='x', inputs=[],\n"
      "                              requested_output_names=[]).exec()\n"
      "  def execute(self, requests): pass\n");
  EXPECT_THAT(Message(script.Create().status()),
              HasSubstr("other models can be asked during execute only"));
}

TEST(PythonCallsTest, MayBeTheLastHolderOfItsModel) {
  PythonTestModel script(kCalls);
  std::shared_ptr<PythonServable> own;
  std::atomic<bool> is_over{false};
  std::atomic<bool> outer_cancelled{false};
  script.config.finalize_limit_us = 1'000;
  script.config.call_model =
      [&](const std::string&, const std::string&, const Tensors&,
          const CallOptions& options) -> absl::StatusOr<Tensors> {
    {
      const std::shared_ptr<PythonServable> last = std::exchange(own, nullptr);
      outer_cancelled = true;
      while (!options.cancelled->load()) std::this_thread::yield();
      while (last.use_count() > 1) std::this_thread::yield();
    }
    is_over = true;
    return absl::CancelledError("nobody waits");
  };
  auto created = script.Create();
  ASSERT_TRUE(created.ok()) << created.status();
  own = *std::move(created);
  std::shared_ptr<PythonServable> held = own;
  CallOptions options = {.cancelled = &outer_cancelled};
  options.deadline_us = Clock::Real().NowUs() + 600'000'000;
  EXPECT_EQ(Ask(*held, {1}, options).status().code(),
            absl::StatusCode::kCancelled);
  held.reset();
  while (!is_over) std::this_thread::yield();
}

TEST(PythonCallsTest, CarriesLargeTensorsBothWays) {
  PythonTestModel script(kCalls);
  script.config.call_model = [](const std::string&, const std::string&,
                                const Tensors& request, const CallOptions&) {
    return Tensors{Int32s("OUT", Int32Values(request[0]))};
  };
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<int32_t> many(3'000'000);  // far more than a socket holds
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int32_t>(i);
  const auto same = Ask(**model, many);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(*same, many);
}

}  // namespace
}  // namespace quaver
