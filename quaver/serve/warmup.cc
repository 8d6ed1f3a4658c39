// See warmup.h.
#include "quaver/serve/warmup.h"

#include <algorithm>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/serve/internal/tensor_data.h"
#include "quaver/serve/kserve_datatype.h"
#include "quaver/serve/kserve_request.h"

namespace quaver {
namespace {

constexpr int64_t kMaxBytes = 64 << 20;  // of a tensor, as of a request
constexpr size_t kWordBytes = 8;

// Of kBool every byte is 0 or 1.
void FillRandom(Tensor& tensor, size_t num_elements, Random& random) {
  for (std::string& text : tensor.strings) {
    for (size_t i = 0; i < kWordBytes; ++i) {
      text += static_cast<char>('a' + random.Below(26));
    }
  }
  const uint64_t bound = tensor.datatype == Datatype::kBool ? 2 : 128;
  tensor.raw.resize(num_elements * DatatypeSize(tensor.datatype));
  for (std::byte& byte : tensor.raw) {
    byte = static_cast<std::byte>(random.Below(bound));
  }
}

absl::StatusOr<Tensor> MakeInput(const ModelConfig& model,
                                 const std::string& name,
                                 const WarmupRequest& request,
                                 const WarmupRequest::Input& input,
                                 const std::string& folder) {
  Tensor tensor;
  tensor.name = name;
  tensor.datatype = input.datatype;
  tensor.shape = input.dims;
  if (model.max_batch_size > 0) {
    tensor.shape.insert(tensor.shape.begin(), std::max(1, request.batch_size));
  }
  ASSIGN_OR_RETURN(const int64_t num_elements, CountElements(tensor));
  const auto size = static_cast<int64_t>(DatatypeSize(tensor.datatype));
  if (num_elements * size > kMaxBytes) {
    return absl::InvalidArgumentError(fmt::format(
        "input '{}' has {} elements: too many", name, num_elements));
  }
  if (input.data == WarmupRequest::Data::kFile) {
    ASSIGN_OR_RETURN(const std::string bytes,
                     ReadFile(folder + "/warmup/" + input.file, kMaxBytes));
    RETURN_IF_ERROR(ReadBinaryData(bytes, model.name, tensor));
    return tensor;
  }
  const auto count = static_cast<size_t>(num_elements);
  if (tensor.datatype == Datatype::kBytes) tensor.strings.resize(count);
  tensor.raw.resize(static_cast<size_t>(num_elements * size));
  if (input.data == WarmupRequest::Data::kRandom) {
    Random random(Hash64(name), 0);
    FillRandom(tensor, count, random);
  }
  return tensor;
}

absl::Status Run(const ModelConfig& model, const WarmupRequest& warmup,
                 const std::string& folder, Servable& servable) {
  InferRequest request;
  for (const auto& [name, input] : warmup.inputs) {
    ASSIGN_OR_RETURN(Tensor tensor,
                     MakeInput(model, name, warmup, input, folder));
    request.inputs.push_back(std::move(tensor));
  }
  RETURN_IF_ERROR(FitToModel(model, request));
  for (int i = 0; i < warmup.count; ++i) {
    RETURN_IF_ERROR(servable.WarmUp(request.inputs));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WarmUp(const ModelConfig& model, const std::string& model_folder,
                    Servable& servable) {
  for (const WarmupRequest& warmup : model.warmups) {
    const absl::Status status = Run(model, warmup, model_folder, servable);
    if (!status.ok()) {
      return Annotate(status, fmt::format("model '{}': model_warmup '{}'",
                                          model.name, warmup.name));
    }
  }
  return absl::OkStatus();
}

}  // namespace quaver
