// See servable.h.
#include <utility>

#include "quaver/sched/servable.h"

namespace quaver {

absl::Status Servable::Resize(int /*num_instances*/) {
  return absl::UnimplementedError(
      "the model's number of instances is fixed until it is loaded anew");
}

absl::Status ServableRegistry::Add(const std::string& name,
                                   std::shared_ptr<Servable> servable) {
  if (!servables_.emplace(name, std::move(servable)).second) {
    return absl::AlreadyExistsError(
        fmt::format("there is a model \"{}\" already", name));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Servable>> ServableRegistry::Find(
    const std::string& name) const {
  const auto found = servables_.find(name);
  if (found != servables_.end()) return found->second;
  std::string names;
  for (const auto& [known, servable] : servables_) {
    names += names.empty() ? "" : ", ";
    names += known;
  }
  return absl::NotFoundError(
      fmt::format("there is no model \"{}\"; there {}", name,
                  names.empty() ? "are none" : "is: " + names));
}

}  // namespace quaver
