// Dynamic batching for any servable: calls that come while all instances are
// busy, or that may wait for others, are computed as one.
//
//   ASSIGN_OR_RETURN(auto model, BatchingServable::Create(
//       {.batcher = {.num_instances = 2, .max_batch_size = 8}}, make));
//   model->Infer(request);  // rows of other calls may be computed beside it
//
// Law
//
// When a batch closes, who waits and who is refused: batcher.h, where an item
// is a call, its rows and its tokens are dimension 0 of its inputs.
//
// Only calls of one kind are merged: the same inputs, each of the same datatype
// and, dimension 0 aside, of the same shape (of `ragged` inputs: of the same
// number of dimensions), and the same CallOptions::parameters. Inputs are
// concatenated along dimension 0 in the order of the calls, outputs are split
// alike; a call that is alone is passed on as it is, without a copy.
//
// A ragged input of a batch is one-dimensional, all elements of one call after
// those of another; where the calls' inputs begin and end in it is said by the
// batch inputs. It is merged so for a call that is alone as well.
//
// An instance computes one batch at a time and sees of a merged one: the latest
// deadline, the parameters, no request id, no cancellation, priority 0. When it
// refuses a merged batch as InvalidArgument, the calls are computed one by one,
// so that a bad one spoils nothing but itself; any other error is everyone's.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/clock.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/sched/batcher.h"
#include "quaver/sched/servable.h"

namespace quaver {

// An input that the batcher makes, Triton's batch_input. INT32 or FP32.
struct BatchInput {
  enum class Kind {
    kElementCount,                     // [calls]: elements of each
    kAccumulatedElementCount,          // [calls]: where each ends
    kAccumulatedElementCountWithZero,  // [calls + 1]: where each begins and
                                       // ends
    kMaxElementCountAsShape,           // [the largest count], no values
  };
  Kind kind = Kind::kElementCount;
  std::string name;
  Datatype datatype = Datatype::kInt32;
  std::string source;  // a ragged input
};

struct BatchingConfig {
  BatcherConfig batcher;
  // Instance i computes on cores[i modulo their number], counted within the
  // process's affinity mask. Empty: anywhere.
  std::vector<int> cores;
  std::vector<std::string> ragged;  // inputs
  std::vector<BatchInput> batch_inputs;
};

// Thread-safe. All tensors of the servables behind it have a batch dimension,
// the first one.
class BatchingServable : public Servable {
 public:
  // Makes the servable of instance [0, num_instances), or gives the same one
  // each time if it may be called from several threads at once. Called by
  // Create and Resize.
  using Make =
      std::function<absl::StatusOr<std::shared_ptr<Servable>>(int instance)>;

  // Errors as CheckBatcherConfig's and make's; InvalidArgument for a ragged or
  // a batch input that the servable does not know.
  static absl::StatusOr<std::unique_ptr<BatchingServable>> Create(
      const BatchingConfig& config, Make make,
      const Clock& clock = Clock::Real());
  ~BatchingServable() override;

  // As the first instance's; batch inputs are no inputs.
  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  // Besides the servable's and the batcher's errors: InvalidArgument when the
  // inputs have no or different numbers of rows, or one is there twice;
  // Internal when the outputs of a merged batch do not have its rows.
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;

  // With the batcher's.
  ServableCounts counts() const override;
  // As Batcher::Resize. Makes what is missing first; when that fails nothing
  // changes. Servables that are not wanted any more are gone when it returns.
  absl::Status Resize(int num_instances) override
      ABSL_LOCKS_EXCLUDED(mutex_, resizing_);

  // Batcher::Stop: refuses new calls, finishes those that are queued.
  void Stop() { batcher_->Stop(); }
  int num_instances() const { return batcher_->num_instances(); }

 private:
  struct Call;
  using Calls = std::vector<Call*>;
  BatchingServable(const BatchingConfig& config, Make make);
  absl::Status CheckConfig() const;
  // Those of [0, num_instances) that are missing, all of them or none.
  absl::Status MakeInstances(int num_instances) ABSL_LOCKS_EXCLUDED(mutex_);
  void ComputeBatch(int instance, std::span<BatchItem* const> batch)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ComputeOne(Servable& servable, Call& call) const;
  void ComputeMerged(Servable& servable, const Calls& calls) const;
  Tensors Merge(const Calls& calls) const;

  const BatchingConfig config_;
  const Make make_;
  Mutex resizing_;  // one at a time; held while servables are made
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<Servable>> instances_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Servable> first_;  // what it says of itself
  std::unique_ptr<Batcher> batcher_;
};

}  // namespace quaver
