// What can be asked by name: tensors in, tensors out. KServe's and Triton's
// words, so that the model server serves the same objects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/call.h"
#include "quaver/sched/servable_counts.h"

namespace quaver {

// KServe v2 datatypes.
enum class Datatype {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBf16,
  kBytes
};

// A named tensor that owns its data. kBytes uses `strings`, all others `raw`
// (little-endian, row-major; kBool: 1 byte, 0 or 1).
struct Tensor {
  std::string name;
  Datatype datatype = Datatype::kBytes;
  std::vector<int64_t> shape;
  std::vector<std::string> strings;
  std::vector<std::byte> raw;
};

struct TensorSpec {
  std::string name;
  Datatype datatype = Datatype::kBytes;
  std::vector<int64_t> shape;  // -1: variable; the batch dimension included
  bool optional = false;       // an input that a request may leave out
};

using Tensors = std::vector<Tensor>;

// A model, by itself or behind a batcher. Thread-safe.
class Servable {
 public:
  virtual ~Servable() = default;
  virtual std::vector<TensorSpec> inputs() const = 0;
  virtual std::vector<TensorSpec> outputs() const = 0;
  // Blocks until the answer is there. InvalidArgument names the tensor that is
  // missing or of the wrong type or shape; a model that lets calls wait refuses
  // what is late or cancelled before it works on it. `times` may be null; else
  // what the model knows of the call's time is added there.
  virtual absl::StatusOr<Tensors> Infer(const Tensors& request,
                                        const CallOptions& options,
                                        CallTimes* times) = 0;
  absl::StatusOr<Tensors> Infer(const Tensors& request) {
    return Infer(request, CallOptions(), nullptr);
  }

  // Infer on every instance, for models whose instances share nothing;
  // otherwise on one. REQUIRES: nobody else asks or resizes it meanwhile.
  virtual absl::Status WarmUp(const Tensors& request) {
    return Infer(request).status();
  }

  virtual ServableCounts counts() const { return {}; }
  // How many calls or batches are computed at once from now on; 0:
  // AvailableCores(). What is being computed finishes. Unimplemented where that
  // is fixed.
  virtual absl::Status Resize(int num_instances);
};

// Servables by name. Filled at start-up, then read-only and thread-safe.
class ServableRegistry {
 public:
  // AlreadyExists when the name is taken.
  absl::Status Add(const std::string& name, std::shared_ptr<Servable> servable);
  // NotFound, listing the names there are.
  absl::StatusOr<std::shared_ptr<Servable>> Find(const std::string& name) const;

 private:
  std::map<std::string, std::shared_ptr<Servable>> servables_;
};

}  // namespace quaver
