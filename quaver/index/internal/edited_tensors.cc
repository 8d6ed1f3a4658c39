// See edited_tensors.h.
#include "quaver/index/internal/edited_tensors.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>

#include "quaver/base/check.h"

namespace quaver {
namespace {

struct Edit {
  uint8_t tensor;
  uint8_t operation;
  uint16_t offset;
  uint32_t value;
};
static_assert(sizeof(Edit) == 8);

// Keeps bytes and shape in step: the container is checked elsewhere.
void Resize(EditedTensor& tensor) {
  int64_t count = 1;
  for (int64_t& extent : tensor.shape) {
    extent = std::clamp<int64_t>(extent, 0, 4096);
    count *= extent;
  }
  count = std::min<int64_t>(count, 1 << 16);
  if (count == 1 << 16) tensor.shape = {count};
  tensor.bytes.resize(static_cast<size_t>(count) * SizeOf(tensor.type));
}

void Apply(const Edit& edit, EditedTensors& tensors) {
  if (tensors.empty()) return;
  const auto entry = std::next(
      tensors.begin(), static_cast<ptrdiff_t>(edit.tensor % tensors.size()));
  EditedTensor& tensor = entry->second;
  switch (edit.operation % 5) {
    case 0:
      if (tensor.bytes.size() >= sizeof(edit.value)) {
        const size_t places = tensor.bytes.size() / sizeof(edit.value);
        std::memcpy(&tensor.bytes[edit.offset % places * sizeof(edit.value)],
                    &edit.value, sizeof(edit.value));
      }
      return;
    case 1:
      tensor.shape[0] -= edit.value % 40;
      return Resize(tensor);
    case 2:
      tensor.shape[0] += edit.value % 40;
      return Resize(tensor);
    case 3:
      tensor.shape[edit.offset % tensor.shape.size()] = edit.value % 4096;
      return Resize(tensor);
    default:
      tensors.erase(entry);
      return;
  }
}

}  // namespace

EditedTensors CopyTensors(const Artifact& artifact) {
  EditedTensors tensors;
  for (const auto& [name, view] : artifact.tensors()) {
    tensors[name] = {
        view.type, view.shape,
        std::string(reinterpret_cast<const char*>(view.bytes.data()),
                    view.bytes.size())};
  }
  return tensors;
}

void ApplyEdits(std::string_view edits, EditedTensors& tensors) {
  for (; edits.size() >= sizeof(Edit); edits.remove_prefix(sizeof(Edit))) {
    Edit edit;
    std::memcpy(&edit, edits.data(), sizeof(edit));
    Apply(edit, tensors);
  }
}

std::string EditBytes(uint8_t tensor, uint8_t operation, uint16_t offset,
                      uint32_t value) {
  const Edit edit = {tensor, operation, offset, value};
  std::string bytes(sizeof(edit), '\0');
  std::memcpy(bytes.data(), &edit, sizeof(edit));
  return bytes;
}

std::shared_ptr<const Artifact> WrapTensors(const EditedTensors& tensors,
                                            const std::string& format,
                                            int version) {
  ArtifactWriter writer(format, version);
  for (const auto& [name, tensor] : tensors) {
    writer.Add(name, tensor.type, tensor.shape,
               std::as_bytes(std::span(tensor.bytes)));
  }
  auto artifact = Artifact::FromBytes(writer.Serialize(), format, version);
  QUAVER_CHECK(artifact.ok());
  return *std::move(artifact);
}

}  // namespace quaver
