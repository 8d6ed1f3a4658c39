// A BART's weights and the workspaces that callers take turns with: what the
// servables of its two networks stand on.
//
//   ASSIGN_OR_RETURN(auto bart, BartInstances::Create(config, BestKernels()));
//   RETURN_IF_ERROR(bart->Run(options, times, [&](BartInstance& instance) {
//     bart->model().EncodeStates(batch, instance.workspace, states);
//     return absl::OkStatus();
//   }));
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/engine/bart.h"
#include "quaver/sched/call.h"
#include "quaver/sched/instances.h"

namespace quaver {

struct BartNetworkConfig {
  std::string model_folder;
  // Calls that compute at once; 0: as cores are enough for.
  int num_instances = 0;
  int max_waiting = 1024;  // further calls in line before Unavailable
  // Of a row, where the model has as many positions. An instance's memory grows
  // with it.
  int max_tokens = 128;
  int threads_per_instance = 1;  // as EncoderConfig's
  std::vector<int> cores;        // as EncoderConfig's
};

struct BartInstance {
  BartWorkspace workspace;  // of max_tokens rows
  BartCache cache;          // of max_tokens source rows and slots
  std::optional<int> core;  // of the calling thread
};

// Thread-safe.
class BartInstances {
 public:
  // Errors as BartModel::Load's; InvalidArgument naming the config's field.
  static absl::StatusOr<std::unique_ptr<BartInstances>> Create(
      const BartNetworkConfig& config, const Kernels& kernels);

  const BartModel& model() const { return *model_; }
  int max_tokens() const { return max_tokens_; }

  // Waits for an instance, first come, first served, and runs `body` with it in
  // this thread, on the instance's core if it has one. Besides the body's
  // error: Unavailable when the line is full, and DeadlineExceeded or Cancelled
  // for what nobody wants any more when its turn comes. `times` may be null.
  absl::Status Run(const CallOptions& options, CallTimes* times,
                   const std::function<absl::Status(BartInstance&)>& body)
      ABSL_LOCKS_EXCLUDED(mutex_);

  int num_waiting() const { return pool_.num_waiting(); }  // calls, now

  // As Servable's: all workspaces are made anew, those in use go with their
  // call.
  absl::Status Resize(int num_instances) ABSL_LOCKS_EXCLUDED(mutex_, resizing_);

 private:
  using Instances = std::vector<std::shared_ptr<BartInstance>>;
  BartInstances(const BartNetworkConfig& config,
                std::unique_ptr<const BartModel> model);
  Instances MakeInstances(int count) const;
  void SetInstances(Instances instances) ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<BartInstance> InstanceOf(int index) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<const BartModel> model_;
  const int max_tokens_;
  const int threads_per_instance_;
  const std::vector<int> cores_;
  InstancePool pool_;
  Mutex resizing_;  // one at a time; held while workspaces are made
  mutable Mutex mutex_;
  Instances instances_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
