// See mutex.h.
#include "quaver/base/mutex.h"

namespace quaver {

// Notifies while the mutex is held: once it is free, whoever waited may have
// destroyed it.
void Mutex::Unlock() {
  if (num_waiting_ > 0) unlocked_.notify_all();
  mutex_.unlock();
}

}  // namespace quaver
