// The right to load or unload one model.
#pragma once

#include <string>
#include <utility>

#include "quaver/serve/model_repository.h"

namespace quaver {

// From construction, which waits for it, to destruction.
class ModelRepository::Turn {
 public:
  Turn(ModelRepository& repository, std::string name)
      ABSL_LOCKS_EXCLUDED(repository.mutex_)
      : repository_(repository), name_(std::move(name)) {
    const MutexLock lock(&repository_.mutex_);
    repository_.mutex_.Await(this, &Turn::IsFree);
    repository_.busy_.insert(name_);
  }
  ~Turn() {
    const MutexLock lock(&repository_.mutex_);
    repository_.busy_.erase(name_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  bool IsFree() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return !repository_.busy_.contains(name_);
  }

  ModelRepository& repository_;
  const std::string name_;
};

}  // namespace quaver
