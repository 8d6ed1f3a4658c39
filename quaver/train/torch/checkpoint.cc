// See checkpoint.h.
#include "quaver/train/torch/checkpoint.h"

#include <cstring>
#include <span>

#include "quaver/artifact/artifact.h"
#include "quaver/artifact/checkpoint.h"

namespace quaver {
namespace {

constexpr char kModel[] = "model.";
constexpr char kStateFormat[] = "quaver.training";
constexpr int kStateVersion = 1;

absl::StatusOr<at::ScalarType> TypeOf(DataType type) {
  switch (type) {
    case DataType::kF32:
      return at::kFloat;
    case DataType::kBF16:
      return at::kBFloat16;
    case DataType::kF16:
      return at::kHalf;
    default:
      return absl::InvalidArgumentError(
          fmt::format("holds {} numbers, no floating-point ones", Name(type)));
  }
}

// A copy of a mapped tensor.
absl::StatusOr<at::Tensor> ToTensor(const TensorView& view) {
  ASSIGN_OR_RETURN(const at::ScalarType type, TypeOf(view.type));
  at::Tensor tensor = at::empty(view.shape, type);
  std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

std::span<const std::byte> Bytes(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

}  // namespace

absl::Status LoadWeights(const std::string& folder, Parameters& parameters) {
  ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::Open(folder));
  for (const Parameters::Entry& entry : parameters.entries()) {
    std::string name = kModel + entry.name;
    if (!checkpoint->Has(name)) name = entry.name;  // BartModel's own files
    ASSIGN_OR_RETURN(const TensorView view, checkpoint->Find(name));
    if (view.shape != entry.shape) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: {} has the shape [{}], config.json says [{}]", folder, name,
          fmt::join(view.shape, ", "), fmt::join(entry.shape, ", ")));
    }
    const auto tensor = ToTensor(view);
    if (!tensor.ok()) {
      return Annotate(tensor.status(), fmt::format("{}: {}", folder, name));
    }
    parameters.Get(entry.name).master.copy_(*tensor);
  }
  parameters.SyncShadow();
  return absl::OkStatus();
}

absl::Status SaveWeights(const std::string& folder,
                         const Parameters& parameters,
                         const at::Tensor& weights, at::ScalarType type) {
  const at::Tensor host = weights.cpu().to(type).contiguous();
  const DataType stored = type == at::kFloat ? DataType::kF32 : DataType::kBF16;
  ArtifactWriter writer = ArtifactWriter::Plain();
  for (const Parameters::Entry& entry : parameters.entries()) {
    const Weight& weight = parameters.Get(entry.name);
    writer.Add(kModel + entry.name, stored, entry.shape,
               Bytes(host.slice(0, weight.begin, weight.end)));
  }
  const int64_t vocab = parameters.shape().vocab_size;
  writer.Add("final_logits_bias", stored, {1, vocab},
             Bytes(at::zeros({1, vocab}, type)));
  return writer.WriteTo(folder + "/model.safetensors");
}

absl::Status SaveState(const std::string& path, const RunState& state) {
  ArtifactWriter writer(kStateFormat, kStateVersion);
  for (const auto& [name, text] : state.texts) writer.SetMetadata(name, text);
  for (const auto& [name, tensor] : state.tensors) {
    const at::Tensor host = tensor.cpu().contiguous();
    writer.Add(name, DataType::kF32, {host.numel()}, Bytes(host));
  }
  return writer.WriteTo(path);
}

absl::StatusOr<RunState> LoadState(const std::string& path) {
  ASSIGN_OR_RETURN(const auto file,
                   Artifact::Open(path, kStateFormat, kStateVersion));
  RunState state;
  state.texts = file->metadata();
  for (const auto& [name, view] : file->tensors()) {
    ASSIGN_OR_RETURN(state.tensors[name], ToTensor(view));
  }
  return state;
}

}  // namespace quaver
