// Servables made of a function, tensors of numbers, and a gate: for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "quaver/base/mutex.h"
#include "quaver/sched/servable.h"

namespace quaver {

// A gate at which calls stop as long as it is closed.
class Gate {
 public:
  void Set(bool open) {
    const MutexLock lock(&mutex_);
    open_ = open;
  }
  void Pass() {
    const MutexLock lock(&mutex_);
    ++num_waiting_;
    mutex_.Await(this, &Gate::IsOpen);
    --num_waiting_;
  }
  int num_waiting() {
    const MutexLock lock(&mutex_);
    return num_waiting_;
  }

 private:
  bool IsOpen() const { return open_; }
  Mutex mutex_;
  bool open_ = true;
  int num_waiting_ = 0;
};

inline void AwaitThat(const std::function<bool()>& holds) {
  while (!holds()) std::this_thread::yield();
}

inline Tensor Numbers(const std::string& name, std::vector<int64_t> shape,
                      const std::vector<int32_t>& values) {
  Tensor tensor{name, Datatype::kInt32, std::move(shape), {}, {}};
  tensor.raw.resize(values.size() * sizeof(int32_t));
  if (!values.empty()) {
    std::memcpy(tensor.raw.data(), values.data(), tensor.raw.size());
  }
  return tensor;
}

inline std::vector<int32_t> ValuesOf(const Tensor& tensor) {
  std::vector<int32_t> values(tensor.raw.size() / sizeof(int32_t));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.raw.data(), tensor.raw.size());
  }
  return values;
}

inline Tensor Texts(const std::string& name, std::vector<int64_t> shape,
                    std::vector<std::string> strings) {
  return {name, Datatype::kBytes, std::move(shape), std::move(strings), {}};
}

class FunctionServable : public Servable {
 public:
  using Function = std::function<absl::StatusOr<Tensors>(
      const Tensors&, const CallOptions&, CallTimes*)>;
  FunctionServable(std::vector<TensorSpec> inputs,
                   std::vector<TensorSpec> outputs, Function function)
      : inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        function_(std::move(function)) {}

  std::vector<TensorSpec> inputs() const override { return inputs_; }
  std::vector<TensorSpec> outputs() const override { return outputs_; }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override {
    return function_(request, options, times);
  }

 private:
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
  const Function function_;
};

}  // namespace quaver
