// Several processes, on one machine or more, that train one model together.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "quaver/base/status.h"

namespace quaver {

// What torchrun says in the environment.
struct ProcessPlace {
  int rank = 0;
  int world = 1;
  std::string address = "127.0.0.1";  // of rank 0
  int port = 29'500;
  int local_rank = 0;  // among the processes of this machine: its GPU's number
};
// Of RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT; one process
// without them. InvalidArgument naming the variable that is wrong.
absl::StatusOr<ProcessPlace> PlaceFromEnvironment();

// Sums over all processes by libtorch's c10d: Gloo, and NCCL for GPUs' tensors
// where libtorch has it. Calls have to come in the
// same order in each. A process that is gone or slower than the timeout makes
// calls throw std::runtime_error.
class Reducer {
 public:
  // Waits for all processes. Unavailable when they do not come in time.
  static absl::StatusOr<std::unique_ptr<Reducer>> Join(
      const ProcessPlace& place, int64_t timeout_s = 300);
  virtual ~Reducer() = default;

  // Begins to sum a float tensor in place; done when Wait returns.
  virtual void Begin(const at::Tensor& tensor) = 0;
  virtual void Wait() = 0;
  // Sums a few numbers at once.
  virtual void Sum(std::vector<double>* values) = 0;
  // Makes the tensor rank 0's everywhere.
  virtual void Broadcast(const at::Tensor& tensor) = 0;

  virtual const ProcessPlace& place() const = 0;
};

}  // namespace quaver
