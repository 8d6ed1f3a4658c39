// See mutex.h.
#include "quaver/base/mutex.h"

#include "quaver/base/check.h"
#include "quaver/base/cores.h"

namespace quaver {

// Notifies while the mutex is held: once it is free, whoever waited may have
// destroyed it.
void Mutex::Unlock() {
  if (num_waiting_ > 0) unlocked_.notify_all();
  mutex_.unlock();
}

void Mutex::BeginWait() {
  QUAVER_CHECK(!HoldsCore());
  if (num_waiting_ > 0) unlocked_.notify_all();  // waiting unlocks, too
  ++num_waiting_;
}

}  // namespace quaver
