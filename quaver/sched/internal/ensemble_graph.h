// An ensemble's configuration, checked against its members: which step takes
// and makes which tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/ensemble.h"

namespace quaver {

struct EnsembleGraph {
  // A member's input or output.
  struct End {
    std::string name;
    size_t tensor = 0;
    std::vector<int64_t> shape;
  };
  struct Step {
    std::vector<End> inputs;
    std::vector<End> outputs;
  };
  struct Wire {
    TensorSpec spec;              // of who makes it
    std::optional<size_t> maker;  // a step; none: an input of the ensemble
    std::vector<size_t> takers;   // steps, one for each input
    bool is_output = false;
  };
  std::vector<Step> steps;  // as in the configuration
  std::vector<Wire> wires;
  std::vector<size_t> outputs;  // wires, in the order of the configuration
  bool has_branches = false;    // two steps could run side by side

  // The wire of an ensemble's input; none for a name that is none.
  std::optional<size_t> FindInput(const std::string& name) const;
};

struct MemberSpecs {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

// `members`: of the steps, in their order. Errors as
// EnsembleServable::Create's.
absl::StatusOr<EnsembleGraph> CompileEnsemble(
    const EnsembleConfig& config, std::span<const MemberSpecs> members);

// [B] where [B, 1] is declared, and the other way round, becomes what is.
void FitRank(const std::vector<int64_t>& declared, Tensor& tensor);

}  // namespace quaver
