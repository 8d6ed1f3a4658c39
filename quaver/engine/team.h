// Threads that compute one call together: an instance's latency for cores.
//
//   Team team({.threads = 2});
//   const Team::Call call(team);
//   team.Run(parts, [&](size_t part, size_t member) { ... });
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "quaver/base/cores.h"

namespace quaver {

struct TeamConfig {
  int threads = 1;  // that compute a call, the calling one included
  int limit = 0;    // of them; 0: AvailableCores()
  // Thread i is pinned to cores[i modulo their number], counted within the
  // process's affinity mask; the calling one, 0, is its owner's affair. Empty:
  // anywhere.
  std::vector<int> cores;
  // Work of fewer multiply-adds of bytes is not shared: it takes about 5 us,
  // and to share it up to one.
  size_t least_shared = size_t{1} << 20;
  CoreBudget* budget = nullptr;  // outlives the team; null: the process's
};

// How many threads a team of it has: 1 to the limit.
int TeamSize(const TeamConfig& config);

// The number of instances of so many threads that a configuration means; where
// it leaves it open (0), as many as AvailableCores() are enough for, at
// least 1.
int NumInstances(int wanted, int threads_per_instance);

// The team of one of several instances that compute at once: all together have
// no more threads than AvailableCores(), where that is enough for one each.
// Instance i's threads lie on cores[i * threads_per_instance] and the next
// ones, modulo their number; the first, which calls, is pinned by its owner.
// REQUIRES: num_instances above 0.
TeamConfig InstanceTeam(int instance, int num_instances,
                        int threads_per_instance,
                        const std::vector<int>& cores);

// The calling thread and others of its own. Not movable; one thread calls at a
// time. Between two Runs of a call the others look for work for at most 50 us
// and then sleep; between calls they sleep. What they sleep through is computed
// by the calling thread.
class Team {
 public:
  static constexpr size_t kMaxParts = 1 << 15;

  // TeamSize(config) threads; says so in the log where that is less than
  // wanted.
  explicit Team(const TeamConfig& config);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  size_t size() const { return helpers_.size() + 1; }
  size_t least_shared() const { return least_shared_; }

  // One call's cores, until destruction: the calling thread's, which it waits
  // for, and one for each of the others as far as they are idle; who has none
  // is absent. 0.02 us, 0.5 where another is woken. Not nested.
  class Call {
   public:
    explicit Call(Team& team);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Team& team_;
    const CoreLease own_;
    const int num_others_;
  };

  // Members [0, num_present()) compute: of the call under way, else 1.
  size_t num_present() const {
    return num_present_.load(std::memory_order_relaxed);
  }

  // body(part, member) for each part of [0, num_parts), in the thread of one of
  // the members that are present; returns when all are done. Which member
  // computes which part is not defined. `body` must not throw. Allocates
  // nothing; 8 parts of two threads take 0.1 to 0.8 us beside their work.
  // REQUIRES: at most kMaxParts.
  template <typename Body>
  void Run(size_t num_parts, const Body& body) {
    Run(num_parts, Invoke<Body>, &body);
  }

 private:
  using Function = void (*)(const void* body, size_t part, size_t member);
  template <typename Body>
  static void Invoke(const void* body, size_t part, size_t member) {
    (*static_cast<const Body*>(body))(part, member);
  }

  void Run(size_t num_parts, Function function, const void* body);
  // Computes parts until none is left.
  void Work(size_t member);
  void Help(size_t member);
  // Until `ticket` or `call` is over, or something else wakes it.
  void AwaitPart(uint64_t ticket, uint32_t call) const;

  // A call's number, its parts and the next of them, see team.cc: one word, so
  // that whoever takes a part takes it of the call that is under way.
  std::atomic<uint64_t> ticket_{0};
  std::atomic<uint32_t> num_done_{0};
  // Of the call; read by who has taken a part of it.
  std::atomic<Function> function_{nullptr};
  std::atomic<const void*> body_{nullptr};
  // Changes when a call begins and when it ends; kOver: there are no more.
  std::atomic<uint32_t> call_{0};
  std::atomic<size_t> num_present_{1};
  CoreBudget& budget_;
  const size_t least_shared_;
  std::vector<std::thread> helpers_;
};

}  // namespace quaver
