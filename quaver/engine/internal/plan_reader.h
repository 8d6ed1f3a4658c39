// Points a model's weights into a mapped plan.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quaver/artifact/artifact.h"
#include "quaver/engine/internal/weights.h"

namespace quaver {

// A visitor of plan_parts.h. After the first error it does nothing.
class PlanReader {
 public:
  // Both must outlive it.
  PlanReader(const Artifact& plan, const Kernels& kernels);

  void Table(const std::string& name, size_t size, const float*& floats);
  void Weight(const std::string& name, size_t N, size_t K, Linear& linear);
  void Normalisation(const std::string& name, size_t D, Norm& norm);

  const absl::Status& status() const { return status_; }
  // fp32 weights that the plan holds for tables of another width, packed anew.
  std::vector<FloatArena> TakeRepacked() { return std::move(repacked_); }

 private:
  void Find(const std::string& name, size_t N, size_t K, Linear& linear);
  void FindRange(const std::string& name, Linear& linear);
  void Repack(size_t N, size_t K, Linear& linear);
  template <typename T>
  void Get(const std::string& name, size_t size, const T*& values);

  const Artifact& plan_;
  const Kernels& kernels_;
  size_t columns_ = 0;  // of the plan's fp32 panels
  TacticTable tactics_;
  std::vector<FloatArena> repacked_;
  absl::Status status_;
};

}  // namespace quaver
