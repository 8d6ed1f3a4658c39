// Tests of what a Python model's script says of its configuration.
#include <gmock/gmock.h>

#include "quaver/backends/python_test_model.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(PythonConfigTest, CompletesAConfigurationWithoutTensors) {
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

TEST(PythonConfigTest, CompletesAConfigurationThatNamesItsTensors) {
  PythonTestModel script(
      "  @staticmethod\n"
      "  def auto_complete_config(config):\n"
      "    config.set_max_batch_size(4)\n"
      "    config.set_dynamic_batching()\n"
      "    return config\n"
      "  def execute(self, requests):\n"
      "    return [answer(read(r)) for r in requests]\n");
  script.config.model_config =
      R"({"name": "m", "max_batch_size": 0,
          "input": [{"name": "IN", "data_type": "TYPE_INT32", "dims": [1],
                     "reshape": {"shape": []}}],
          "output": [{"name": "OUT", "data_type": "TYPE_INT32",
                      "dims": [2]}]})";
  const auto model = script.Create();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->max_batch_size(), 4);
  EXPECT_TRUE((*model)->batches());
  EXPECT_THAT((*model)->inputs()[0].shape, ElementsAre(-1));
  EXPECT_THAT((*model)->outputs()[0].shape, ElementsAre(-1, 2));
  script.config.auto_complete = false;
  const auto as_it_is = script.Create();
  ASSERT_TRUE(as_it_is.ok()) << as_it_is.status();
  EXPECT_EQ((*as_it_is)->max_batch_size(), 0);
  EXPECT_FALSE((*as_it_is)->batches());
}

TEST(PythonConfigTest, RefusesAnIncompleteConfiguration) {
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
