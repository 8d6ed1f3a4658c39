// The one container on disk: safetensors with checked metadata, mapped.
//
// A file is: u64 little-endian header length, a JSON header, then the
// tensors' bytes. Ours add to `__metadata__`: "format" (what the file is for),
// "version", "checksum" (XXH3-64 of the data, seeded with that of the header),
// and keys of the writer's; every tensor of ours starts at a multiple of 64
// bytes of the file, the gaps being tensors named "_pad.N", which readers here
// do not see. Other people's safetensors files are read by the same code
// without these checks.
//
//   ArtifactWriter writer("quaver.segment", 1);
//   writer.Add<uint8_t>("codes", {num_items, 48}, codes);
//   RETURN_IF_ERROR(writer.WriteTo(path));
//   ASSIGN_OR_RETURN(auto file, Artifact::Open(path, "quaver.segment", 1));
//   ASSIGN_OR_RETURN(auto codes, file->Get<uint8_t>("codes", {-1, 48}));
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/file.h"
#include "quaver/base/status.h"

namespace quaver {

enum class DataType {
  kU8,
  kI8,
  kU16,
  kI16,
  kF16,
  kBF16,
  kU32,
  kI32,
  kF32,
  kU64,
  kI64,
  kF64,
  kBool
};

// Bytes of one element.
size_t SizeOf(DataType type);
// Safetensors' name: "U8", "BF16", "F32" ...
std::string_view Name(DataType type);

// The DataType of a C++ type.
template <typename T>
constexpr DataType DataTypeOf();

// One tensor, row-major, pointing into the mapped file.
struct TensorView {
  DataType type = DataType::kU8;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;

  int64_t num_elements() const;
};

// The values of an F32, F16 or BF16 tensor. REQUIRES: one of these types.
std::vector<float> ToFloats(const TensorView& view);

// An open file. Immutable, thread-safe; tensors live as long as it does.
class Artifact {
 public:
  // Opens any safetensors file: the header is checked against the size, types
  // and shapes against their byte ranges, ranges against overlap and holes.
  // InvalidArgument naming the file and the field otherwise.
  static absl::StatusOr<std::shared_ptr<const Artifact>> Open(
      const std::string& path);
  // Opens one of ours: also format, version (FailedPrecondition when newer)
  // and checksum (DataLoss). Costs one read of the file.
  static absl::StatusOr<std::shared_ptr<const Artifact>> Open(
      const std::string& path, std::string_view format, int version);
  // The same over bytes in memory, which are copied to a multiple of 64.
  static absl::StatusOr<std::shared_ptr<const Artifact>> FromBytes(
      std::string bytes, std::string_view format, int version);

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const {
    return metadata_;
  }
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }

  // NotFound, naming file and tensor, when absent.
  absl::StatusOr<TensorView> Find(const std::string& name) const;

  // Typed access: checks type, alignment and shape (-1 matches anything).
  template <typename T>
  absl::StatusOr<std::span<const T>> Get(
      const std::string& name, const std::vector<int64_t>& shape) const {
    ASSIGN_OR_RETURN(const TensorView view,
                     FindTyped(name, DataTypeOf<T>(), alignof(T), shape));
    return std::span(reinterpret_cast<const T*>(view.bytes.data()),
                     view.bytes.size() / sizeof(T));
  }

  // A string of the metadata; NotFound when absent.
  absl::StatusOr<std::string> Metadata(const std::string& key) const;

  // Lets the system take back the memory of the mapped file's pages; they are
  // read again when touched. For whoever has copied what it needs often.
  void DropPages() const;

 private:
  Artifact() = default;
  // An empty format checks nothing of ours.
  static absl::StatusOr<std::shared_ptr<const Artifact>> Read(
      std::shared_ptr<Artifact> artifact, std::span<const std::byte> bytes,
      std::string_view format, int version);
  absl::StatusOr<TensorView> FindTyped(const std::string& name, DataType type,
                                       size_t alignment,
                                       const std::vector<int64_t>& shape) const;

  std::string path_;  // or "memory"
  std::shared_ptr<const MappedFile> file_;
  std::unique_ptr<std::byte[]> memory_;  // FromBytes' copy, or null
  std::map<std::string, std::string> metadata_;
  std::map<std::string, TensorView> tensors_;
};

// Collects tensors, then writes them in one go. Not thread-safe.
class ArtifactWriter {
 public:
  ArtifactWriter(std::string format, int version);
  // For other people's readers: no metadata of ours but {"format": "pt"}, no
  // checksum, no gaps.
  static ArtifactWriter Plain();

  void SetMetadata(const std::string& key, std::string value);

  // Copies the bytes. REQUIRES: their size fits type and shape; a new name,
  // not starting with "_pad.".
  void Add(const std::string& name, DataType type, std::vector<int64_t> shape,
           std::span<const std::byte> bytes);
  template <typename T>
  void Add(const std::string& name, std::vector<int64_t> shape,
           std::span<const T> values) {
    Add(name, DataTypeOf<T>(), std::move(shape), std::as_bytes(values));
  }
  // A one-dimensional tensor.
  template <typename T>
  void Add(const std::string& name, const std::vector<T>& values) {
    Add(name, DataTypeOf<T>(), {static_cast<int64_t>(values.size())},
        std::as_bytes(std::span(values)));
  }

  // The whole file's bytes; the same calls give the same bytes.
  std::string Serialize() const;
  // Durable and atomic (WriteFileAtomically).
  absl::Status WriteTo(const std::string& path) const;

 private:
  struct Entry {
    DataType type;
    std::vector<int64_t> shape;
    std::string bytes;
  };
  ArtifactWriter() = default;

  bool is_ours_ = true;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, Entry> entries_;
};

template <>
constexpr DataType DataTypeOf<uint8_t>() {
  return DataType::kU8;
}
template <>
constexpr DataType DataTypeOf<int8_t>() {
  return DataType::kI8;
}
template <>
constexpr DataType DataTypeOf<uint16_t>() {
  return DataType::kU16;
}
template <>
constexpr DataType DataTypeOf<int16_t>() {
  return DataType::kI16;
}
template <>
constexpr DataType DataTypeOf<uint32_t>() {
  return DataType::kU32;
}
template <>
constexpr DataType DataTypeOf<int32_t>() {
  return DataType::kI32;
}
template <>
constexpr DataType DataTypeOf<float>() {
  return DataType::kF32;
}
template <>
constexpr DataType DataTypeOf<uint64_t>() {
  return DataType::kU64;
}
template <>
constexpr DataType DataTypeOf<int64_t>() {
  return DataType::kI64;
}
template <>
constexpr DataType DataTypeOf<double>() {
  return DataType::kF64;
}
template <>
constexpr DataType DataTypeOf<char>() {
  return DataType::kU8;
}

}  // namespace quaver
