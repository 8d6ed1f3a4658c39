// See reducer.h.
#include "quaver/train/torch/reducer.h"

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <stdexcept>

#if __has_include(<torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>) && \
    __has_include(<gloo/context.h>)
#define QUAVER_GLOO 1
#define USE_C10D_GLOO 1
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif
#ifdef USE_C10D_NCCL  // said by a libtorch that was built with it
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace quaver {
namespace {

absl::StatusOr<int> FromEnvironment(const char* name, int least, int most,
                                    int otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  const std::string value = text;
  int number = 0;
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() ||
      number < least || number > most) {
    return absl::InvalidArgumentError(
        fmt::format("{} has to be a number from {} to {}, not '{}'", name,
                    least, most, value));
  }
  return number;
}

#ifdef QUAVER_GLOO
// GPUs' tensors go over NCCL where it is built in, all others over Gloo.
class GroupReducer : public Reducer {
 public:
  GroupReducer(const ProcessPlace& place,
               c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo)
      : place_(place), gloo_(std::move(gloo)) {}
#ifdef USE_C10D_NCCL
  void UseNccl(c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl) {
    nccl_ = std::move(nccl);
  }
#endif

  void Begin(const at::Tensor& tensor) override {
    std::vector<at::Tensor> tensors = {tensor};
    pending_.push_back(
        With(tensor, [&](auto& group) { return group.allreduce(tensors); }));
  }

  void Wait() override {
    for (const auto& work : pending_) work->wait();
    pending_.clear();
  }

  void Sum(std::vector<double>* values) override {
    const at::Tensor tensor = at::tensor(at::ArrayRef<double>(*values),
                                         at::TensorOptions(at::kDouble));
    Begin(tensor);
    Wait();
    const auto* sums = tensor.data_ptr<double>();
    values->assign(sums, sums + tensor.numel());
  }

  void Broadcast(const at::Tensor& tensor) override {
    std::vector<at::Tensor> tensors = {tensor};
    With(tensor, [&](auto& group) { return group.broadcast(tensors); })->wait();
  }

  const ProcessPlace& place() const override { return place_; }

 private:
  template <typename Call>
  c10::intrusive_ptr<c10d::Work> With(const at::Tensor& tensor,
                                      const Call& call) {
#ifdef USE_C10D_NCCL
    if (tensor.is_cuda()) return call(*nccl_);
#endif
    (void)tensor;
    return call(*gloo_);
  }

  const ProcessPlace place_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
#ifdef USE_C10D_NCCL
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl_;
#endif
  std::vector<c10::intrusive_ptr<c10d::Work>> pending_;
};
#endif

}  // namespace

absl::StatusOr<ProcessPlace> PlaceFromEnvironment() {
  ProcessPlace place;
  ASSIGN_OR_RETURN(place.world, FromEnvironment("WORLD_SIZE", 1, 4'096, 1));
  ASSIGN_OR_RETURN(place.rank, FromEnvironment("RANK", 0, place.world - 1, 0));
  ASSIGN_OR_RETURN(place.port,
                   FromEnvironment("MASTER_PORT", 1, 65'535, place.port));
  ASSIGN_OR_RETURN(place.local_rank,
                   FromEnvironment("LOCAL_RANK", 0, place.world - 1, 0));
  if (const char* address = std::getenv("MASTER_ADDR")) place.address = address;
  return place;
}

absl::StatusOr<std::unique_ptr<Reducer>> Reducer::Join(
    const ProcessPlace& place, int64_t timeout_s) {
#ifdef QUAVER_GLOO
  try {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(place.port);
    options.isServer = place.rank == 0;
    options.numWorkers = static_cast<size_t>(place.world);
    options.timeout = std::chrono::seconds(timeout_s);
    auto store = c10::make_intrusive<c10d::TCPStore>(place.address, options);
    auto settings = c10d::ProcessGroupGloo::Options::create();
    settings->timeout = std::chrono::seconds(timeout_s);
    const bool local =
        place.address == "127.0.0.1" || place.address == "localhost";
    settings->devices.push_back(
        local ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
              : c10d::ProcessGroupGloo::createDefaultDevice());
    auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(
        store, place.rank, place.world, settings);
    auto reducer = std::make_unique<GroupReducer>(place, std::move(gloo));
#ifdef USE_C10D_NCCL
    if (at::globalContext().hasCUDA()) {
      reducer->UseNccl(c10::make_intrusive<c10d::ProcessGroupNCCL>(
          store, place.rank, place.world));
    }
#endif
    return reducer;
  } catch (const std::exception& error) {
    return absl::UnavailableError(fmt::format(
        "process {} of {} could not join the others at {}:{}: {}", place.rank,
        place.world, place.address, place.port, error.what()));
  }
#else
  (void)timeout_s;
  return absl::UnimplementedError(
      fmt::format("this build has no Gloo: {} processes cannot train together",
                  place.world));
#endif
}

}  // namespace quaver
