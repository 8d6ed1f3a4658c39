// A few threads that do a step's work side by side.
#pragma once

#include <functional>
#include <memory>

namespace quaver {

// Threads that live as long as the team: unlike ParallelFor's they keep what a
// library sets up for each thread.
class Team {
 public:
  // `start(worker)` is called on every worker's thread first.
  Team(int size, const std::function<void(int worker)>& start);
  ~Team();

  // Calls work(worker) on every worker; returns when all are done. The first
  // worker's exception, by number, is thrown again. One caller at a time.
  void Run(const std::function<void(int worker)>& work);

  int size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quaver
