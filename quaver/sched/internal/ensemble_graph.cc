// See ensemble_graph.h.
#include "quaver/sched/internal/ensemble_graph.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include <fmt/ranges.h>

namespace quaver {
namespace {

const TensorSpec* FindSpec(const std::vector<TensorSpec>& specs,
                           const std::string& name) {
  const auto found =
      std::find_if(specs.begin(), specs.end(),
                   [&](const TensorSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

std::string Text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

bool MayBeEqual(std::vector<int64_t> a, std::vector<int64_t> b) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() == a.size() + 1 && b.back() == 1) b.pop_back();
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](int64_t left, int64_t right) {
                      return left == right || left < 0 || right < 0;
                    });
}

class Compiler {
 public:
  Compiler(const EnsembleConfig& config, std::span<const MemberSpecs> members)
      : config_(config), members_(members) {
    graph_.steps.resize(config.steps.size());
  }

  absl::StatusOr<EnsembleGraph> Compile() {
    if (config_.steps.empty()) return Invalid("it has no steps");
    for (const TensorSpec& input : config_.inputs) {
      if (!AddWire(input, std::nullopt)) {
        return Invalid(fmt::format("input '{}' is there twice", input.name));
      }
    }
    for (size_t i = 0; i < config_.steps.size(); ++i) {
      RETURN_IF_ERROR(AddOutputs(i));
    }
    for (size_t i = 0; i < config_.steps.size(); ++i) {
      RETURN_IF_ERROR(AddInputs(i));
    }
    RETURN_IF_ERROR(TakeOutputs());
    RETURN_IF_ERROR(CheckUse());
    RETURN_IF_ERROR(CheckOrder());
    return std::move(graph_);
  }

 private:
  absl::Status Invalid(const std::string& what) const {
    return absl::InvalidArgumentError(
        fmt::format("ensemble '{}': {}", config_.name, what));
  }
  absl::Status InvalidStep(size_t step, const std::string& what) const {
    return Invalid(fmt::format("step {} ('{}'): {}", step + 1,
                               config_.steps[step].model, what));
  }

  // False when the name is taken.
  bool AddWire(const TensorSpec& spec, std::optional<size_t> maker) {
    if (!by_name_.emplace(spec.name, graph_.wires.size()).second) return false;
    graph_.wires.push_back({.spec = spec, .maker = maker});
    return true;
  }

  absl::Status AddOutputs(size_t step) {
    for (const auto& [output, tensor] : config_.steps[step].output_map) {
      const TensorSpec* spec = FindSpec(members_[step].outputs, output);
      if (spec == nullptr) {
        return InvalidStep(
            step, fmt::format("the model has no output '{}' for tensor '{}'",
                              output, tensor));
      }
      TensorSpec made = *spec;
      made.name = tensor;
      made.optional = false;
      const size_t wire = graph_.wires.size();
      if (!AddWire(made, step)) {
        return InvalidStep(
            step, fmt::format("output '{}' makes tensor '{}', which is an "
                              "input or made already",
                              output, tensor));
      }
      graph_.steps[step].outputs.push_back({output, wire, spec->shape});
    }
    return absl::OkStatus();
  }

  absl::Status AddInputs(size_t step) {
    const auto& input_map = config_.steps[step].input_map;
    for (const auto& [input, tensor] : input_map) {
      const TensorSpec* spec = FindSpec(members_[step].inputs, input);
      if (spec == nullptr) {
        return InvalidStep(
            step, fmt::format("the model has no input '{}' for tensor '{}'",
                              input, tensor));
      }
      const auto found = by_name_.find(tensor);
      if (found == by_name_.end()) {
        return InvalidStep(
            step, fmt::format("input '{}' takes tensor '{}', which nothing "
                              "makes",
                              input, tensor));
      }
      EnsembleGraph::Wire& wire = graph_.wires[found->second];
      if (wire.spec.optional && !spec->optional) {
        return InvalidStep(
            step, fmt::format("the model needs input '{}', but tensor '{}' is "
                              "optional",
                              input, tensor));
      }
      RETURN_IF_ERROR(CheckEnds(wire.spec, *spec, [&](const std::string& what) {
        return InvalidStep(step, fmt::format("input '{}', tensor '{}': {}",
                                             input, tensor, what));
      }));
      wire.takers.push_back(step);
      graph_.steps[step].inputs.push_back({input, found->second, spec->shape});
    }
    for (const TensorSpec& spec : members_[step].inputs) {
      if (!spec.optional && !input_map.contains(spec.name)) {
        return InvalidStep(
            step, fmt::format("nothing is mapped to input '{}'", spec.name));
      }
    }
    return absl::OkStatus();
  }

  absl::Status TakeOutputs() {
    for (const TensorSpec& output : config_.outputs) {
      const auto found = by_name_.find(output.name);
      if (found == by_name_.end() || !graph_.wires[found->second].maker) {
        return Invalid(fmt::format("no step makes output '{}'", output.name));
      }
      EnsembleGraph::Wire& wire = graph_.wires[found->second];
      if (wire.is_output) {
        return Invalid(fmt::format("output '{}' is there twice", output.name));
      }
      RETURN_IF_ERROR(
          CheckEnds(wire.spec, output, [&](const std::string& what) {
            return InvalidStep(
                *wire.maker,
                fmt::format("ensemble output '{}': {}", output.name, what));
          }));
      wire.is_output = true;
      graph_.outputs.push_back(found->second);
    }
    return absl::OkStatus();
  }

  template <typename Error>
  absl::Status CheckEnds(const TensorSpec& from, const TensorSpec& to,
                         const Error& error) const {
    if (from.datatype != to.datatype) {
      return error("its two sides have different datatypes");
    }
    if (!MayBeEqual(from.shape, to.shape)) {
      return error(fmt::format("its two sides have shapes {} and {}",
                               Text(from.shape), Text(to.shape)));
    }
    return absl::OkStatus();
  }

  absl::Status CheckUse() const {
    for (const EnsembleGraph::Wire& wire : graph_.wires) {
      if (!wire.takers.empty() || wire.is_output) continue;
      const std::string what =
          fmt::format("nothing takes tensor '{}'", wire.spec.name);
      return wire.maker ? InvalidStep(*wire.maker, what) : Invalid(what);
    }
    return absl::OkStatus();
  }

  // Also finds out whether there are branches.
  absl::Status CheckOrder() {
    const size_t num_steps = graph_.steps.size();
    // [to][from]: `to` needs what comes of `from`.
    std::vector<std::vector<bool>> needs(num_steps,
                                         std::vector<bool>(num_steps));
    std::vector<size_t> missing(num_steps);
    for (const EnsembleGraph::Wire& wire : graph_.wires) {
      for (const size_t taker : wire.takers) missing[taker] += !!wire.maker;
    }
    std::deque<size_t> ready;
    for (size_t i = 0; i < num_steps; ++i) {
      if (missing[i] == 0) ready.push_back(i);
    }
    for (; !ready.empty(); ready.pop_front()) {
      const size_t step = ready.front();
      for (const EnsembleGraph::End& output : graph_.steps[step].outputs) {
        for (const size_t taker : graph_.wires[output.tensor].takers) {
          needs[taker][step] = true;
          for (size_t i = 0; i < num_steps; ++i) {
            if (needs[step][i]) needs[taker][i] = true;
          }
          if (--missing[taker] == 0) ready.push_back(taker);
        }
      }
    }
    for (size_t i = 0; i < num_steps; ++i) {
      if (missing[i] > 0) return Cycle(i, missing);
    }
    for (size_t i = 0; i < num_steps; ++i) {
      for (size_t j = 0; j < i; ++j) {
        graph_.has_branches |= !needs[i][j] && !needs[j][i];
      }
    }
    return absl::OkStatus();
  }

  absl::Status Cycle(size_t step, const std::vector<size_t>& missing) const {
    std::string tensor;
    for (const EnsembleGraph::End& input : graph_.steps[step].inputs) {
      const EnsembleGraph::Wire& wire = graph_.wires[input.tensor];
      if (wire.maker && missing[*wire.maker] > 0) tensor = wire.spec.name;
    }
    return InvalidStep(
        step,
        fmt::format("tensor '{}', which it takes, comes of a cycle", tensor));
  }

  const EnsembleConfig& config_;
  const std::span<const MemberSpecs> members_;
  EnsembleGraph graph_;
  std::map<std::string, size_t> by_name_;
};

}  // namespace

std::optional<size_t> EnsembleGraph::FindInput(const std::string& name) const {
  for (size_t i = 0; i < wires.size() && !wires[i].maker; ++i) {
    if (wires[i].spec.name == name) return i;
  }
  return std::nullopt;
}

absl::StatusOr<EnsembleGraph> CompileEnsemble(
    const EnsembleConfig& config, std::span<const MemberSpecs> members) {
  return Compiler(config, members).Compile();
}

void FitRank(const std::vector<int64_t>& declared, Tensor& tensor) {
  std::vector<int64_t>& shape = tensor.shape;
  if (shape.size() == declared.size() + 1 && shape.back() == 1) {
    shape.pop_back();
  } else if (shape.size() + 1 == declared.size() && declared.back() == 1) {
    shape.push_back(1);
  }
}

}  // namespace quaver
