// A repository in a temporary folder, with a backend that tests can see into.
#pragma once

#include <atomic>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/base/mutex.h"
#include "quaver/serve/model_repository.h"

namespace quaver {

// A gate that a call waits at until it is opened.
class Gate {
 public:
  void Open() {
    const MutexLock lock(&mutex_);
    is_open_ = true;
  }
  void Pass() {
    const MutexLock lock(&mutex_);
    ++num_waiting_;
    mutex_.Await(this, &Gate::is_open);
  }
  void AwaitWaiting() {
    const MutexLock lock(&mutex_);
    mutex_.Await(this, &Gate::has_waiting);
  }

 private:
  bool is_open() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return is_open_;
  }
  bool has_waiting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return num_waiting_ > 0;
  }
  Mutex mutex_;
  bool is_open_ ABSL_GUARDED_BY(mutex_) = false;
  int num_waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

// What the servables of a test have in common.
struct Watched {
  std::atomic<int> num_alive = 0;
  std::atomic<int> num_loads = 0;
  std::atomic<int> num_calls = 0;
  std::atomic<int> num_instances = 0;  // as last told by Resize
  std::atomic<Gate*> load_gate = nullptr;
  std::atomic<Gate*> call_gate = nullptr;
};

// X INT32[-1] -> Y INT32[-1], the text of the file "value" as a number added to
// each. Can be resized where the file "fixed" is not there.
class AddServable : public Servable {
 public:
  AddServable(int32_t value, bool can_resize, Watched& watched)
      : value_(value), can_resize_(can_resize), watched_(watched) {
    ++watched_.num_alive;
  }
  ~AddServable() override { --watched_.num_alive; }

  std::vector<TensorSpec> inputs() const override {
    return {{"X", Datatype::kInt32, {-1, 1}}};
  }
  std::vector<TensorSpec> outputs() const override {
    return {{"Y", Datatype::kInt32, {-1, 1}}};
  }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request, const CallOptions&,
                                CallTimes*) override {
    ++watched_.num_calls;
    if (Gate* gate = watched_.call_gate) gate->Pass();
    Tensor output = request[0];
    output.name = "Y";
    for (size_t i = 0; i + 4 <= output.raw.size(); i += 4) {
      int32_t number = 0;
      std::memcpy(&number, &output.raw[i], 4);
      number += value_;
      std::memcpy(&output.raw[i], &number, 4);
    }
    return Tensors{output};
  }
  absl::Status Resize(int num_instances) override {
    if (!can_resize_) return Servable::Resize(num_instances);
    watched_.num_instances = num_instances;
    return absl::OkStatus();
  }

 private:
  const int32_t value_;
  const bool can_resize_;
  Watched& watched_;
};

class ModelRepositoryTest : public testing::Test {
 protected:
  ModelRepositoryTest() {
    folder_ = (std::filesystem::temp_directory_path() /
               ("quaver-repository-" +
                std::to_string(reinterpret_cast<uintptr_t>(this))))
                  .string();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/a");
    std::filesystem::create_directories(folder_ + "/b");
    config_.folders = {folder_ + "/a"};
  }
  ~ModelRepositoryTest() override {
    repository_.reset();
    std::filesystem::remove_all(folder_);
  }

  // "m/1/value" and so on, in the first repository.
  void Write(const std::string& name, const std::string& content,
             const std::string& repository = "a") {
    const std::filesystem::path path = folder_ + "/" + repository + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    ASSERT_TRUE(WriteFileAtomically(path.string(), content).ok());
  }
  void Remove(const std::string& name) {
    std::filesystem::remove_all(folder_ + "/a/" + name);
  }

  Backends MakeBackends() {
    Backends backends;
    backends.factories["add"] = [this](const BackendRequest& request)
        -> absl::StatusOr<std::shared_ptr<Servable>> {
      ++watched_.num_loads;
      if (Gate* gate = watched_.load_gate) gate->Pass();
      ASSIGN_OR_RETURN(const std::string value,
                       ReadFile(request.version_folder + "/value"));
      if (value == "bad") return absl::InvalidArgumentError("value is bad");
      const bool fixed =
          std::filesystem::exists(request.version_folder + "/fixed");
      return std::make_shared<AddServable>(std::stoi(value), !fixed, watched_);
    };
    backends.traits["add"] = {.schedules = true, .max_batch_size = 8};
    backends.factories["plain"] = backends.factories["add"];
    backends.recognise =
        [](const std::string& version_folder) -> absl::StatusOr<std::string> {
      if (!std::filesystem::exists(version_folder + "/value")) {
        return absl::NotFoundError("there is no file 'value'");
      }
      return std::string("add");
    };
    return backends;
  }

  absl::Status Start() {
    auto opened = ModelRepository::Open(config_, MakeBackends(), models_);
    if (!opened.ok()) return opened.status();
    repository_ = *std::move(opened);
    return repository_->Start();
  }

  // What the model makes of 0.
  absl::StatusOr<int> Ask(const std::string& name,
                          const std::string& version = "") {
    ASSIGN_OR_RETURN(const auto model, models_.Find(name, version));
    return AskModel(*model);
  }
  static absl::StatusOr<int> AskModel(const KserveModel& model,
                                      const CallOptions& options = {}) {
    Tensor input;
    input.name = "X";
    input.datatype = Datatype::kInt32;
    input.shape = {1, 1};
    input.raw.resize(4);
    ASSIGN_OR_RETURN(const Tensors outputs,
                     model.servable->Infer({input}, options, nullptr));
    int32_t number = 0;
    std::memcpy(&number, outputs[0].raw.data(), 4);
    return number;
  }

  // "m/1 READY", "m/2 UNAVAILABLE reason", "m" for what was never loaded.
  std::vector<std::string> Index() const {
    std::vector<std::string> lines;
    for (const ModelEntry& entry : repository_->Index()) {
      std::string line = entry.name;
      if (entry.version != 0) line += "/" + std::to_string(entry.version);
      if (entry.state != ModelState::kUnknown) {
        line += " " + std::string(Name(entry.state));
      }
      if (!entry.reason.empty()) line += " " + entry.reason;
      lines.push_back(line);
    }
    return lines;
  }

  std::string folder_;
  Metrics metrics_;
  Watched watched_;
  KserveModels models_{metrics_};
  ModelRepositoryConfig config_;
  std::unique_ptr<ModelRepository> repository_;
};

}  // namespace quaver
