// Python models for tests: a script in a repository of its own.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/backends/python_servable.h"

namespace quaver {

// The environment of the tests that has numpy; tools/setup.sh makes it.
inline std::string TestInterpreter() {
  const std::string made = QUAVER_SOURCE_DIR "/build/venv/bin/python";
  return std::filesystem::exists(made) ? made : "python3";
}

// A folder with <name>/1/model.py, removed at the end.
class PythonTestModel {
 public:
  // `body`: the lines of the class, indented by two.
  explicit PythonTestModel(const std::string& body) {
    char folder[] = "/tmp/python_model_XXXXXX";
    root_ = mkdtemp(folder);
    std::filesystem::create_directories(config.version_folder = Path("m/1"));
    config.model_name = "m";
    config.model_folder = Path("m");
    config.interpreter = TestInterpreter();
    config.model_config = R"({"name": "m", "max_batch_size": 0})";
    config.inputs = {{"IN", Datatype::kInt32, {-1}}};
    config.outputs = {{"OUT", Datatype::kInt32, {-1}}};
    config.backoff_us = 1'000;
    WriteScript(
        "import json, os, sys, time\n"
        "import numpy as np\n"
        "import triton_python_backend_utils as pb_utils\n"
        "def read(request, name='IN'):\n"
        "  return pb_utils.get_input_tensor_by_name(request, name).as_numpy()\n"
        "def answer(values, name='OUT'):\n"
        "  return pb_utils.InferenceResponse([pb_utils.Tensor(\n"
        "      name, np.array(values, np.int32))])\n"
        "class TritonPythonModel:\n" +
        body);
  }
  ~PythonTestModel() { std::filesystem::remove_all(root_); }
  PythonTestModel(const PythonTestModel&) = delete;
  PythonTestModel& operator=(const PythonTestModel&) = delete;

  std::string Path(const std::string& name) const { return root_ + "/" + name; }
  void WriteScript(const std::string& script) const {
    std::ofstream(config.version_folder + "/model.py") << script;
  }
  absl::StatusOr<std::unique_ptr<PythonServable>> Create() const {
    return PythonServable::Create(config);
  }

  PythonConfig config;

 private:
  std::string root_;
};

inline Tensor Int32s(const std::string& name,
                     const std::vector<int32_t>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {name,
          Datatype::kInt32,
          {static_cast<int64_t>(values.size())},
          {},
          {bytes.begin(), bytes.end()}};
}

inline std::vector<int32_t> Int32Values(const Tensor& tensor) {
  std::vector<int32_t> values(tensor.raw.size() / sizeof(int32_t));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.raw.data(), tensor.raw.size());
  }
  return values;
}

// The values of the only output, or the error.
inline absl::StatusOr<std::vector<int32_t>> Ask(
    Servable& model, const std::vector<int32_t>& values,
    const CallOptions& options = {}) {
  ASSIGN_OR_RETURN(const Tensors outputs,
                   model.Infer({Int32s("IN", values)}, options, nullptr));
  if (outputs.size() != 1) return absl::InternalError("not one output");
  return Int32Values(outputs[0]);
}

}  // namespace quaver
