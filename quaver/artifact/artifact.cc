// See artifact.h.
#include "quaver/artifact/artifact.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>

#include "quaver/artifact/internal/format.h"
#include "quaver/base/check.h"

namespace quaver {
namespace {

using nlohmann::json;

// A header of 10,000 tensors takes about 1 MB; the bound keeps a damaged
// length from costing more memory than a sane file would.
constexpr size_t kMaxHeaderBytes = size_t{16} << 20;
// Object, tensor, field, number: what lies deeper is no safetensors header.
constexpr int kMaxHeaderDepth = 4;
struct TypeInfo {
  DataType type;
  size_t bytes;
  std::string_view name;
};

constexpr std::array kTypes = {
    TypeInfo{DataType::kU8, 1, "U8"},     TypeInfo{DataType::kI8, 1, "I8"},
    TypeInfo{DataType::kU16, 2, "U16"},   TypeInfo{DataType::kI16, 2, "I16"},
    TypeInfo{DataType::kF16, 2, "F16"},   TypeInfo{DataType::kBF16, 2, "BF16"},
    TypeInfo{DataType::kU32, 4, "U32"},   TypeInfo{DataType::kI32, 4, "I32"},
    TypeInfo{DataType::kF32, 4, "F32"},   TypeInfo{DataType::kU64, 8, "U64"},
    TypeInfo{DataType::kI64, 8, "I64"},   TypeInfo{DataType::kF64, 8, "F64"},
    TypeInfo{DataType::kBool, 1, "BOOL"},
};

const TypeInfo& Info(DataType type) {
  for (const TypeInfo& info : kTypes) {
    if (info.type == type) return info;
  }
  QUAVER_CHECK(!"a DataType without an entry in kTypes");
  return kTypes[0];
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::optional<DataType> TypeNamed(std::string_view name) {
  for (const TypeInfo& info : kTypes) {
    if (info.name == name) return info.type;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<int64_t>> ReadIntegers(const json& tensor,
                                                  const char* field) {
  const auto found = tensor.find(field);
  if (found == tensor.end() || !found->is_array()) {
    return absl::InvalidArgumentError(fmt::format("{} is not an array", field));
  }
  std::vector<int64_t> values;
  for (const json& item : *found) {
    constexpr auto kMax = std::numeric_limits<int64_t>::max();
    if (!item.is_number_unsigned() || item.get<uint64_t>() > kMax) {
      return absl::InvalidArgumentError(
          fmt::format("{} holds something else than a count", field));
    }
    values.push_back(item.get<int64_t>());
  }
  return values;
}

absl::StatusOr<TensorView> ReadTensor(const json& tensor,
                                      std::span<const std::byte> data) {
  if (!tensor.is_object()) {
    return absl::InvalidArgumentError("its entry is not an object");
  }
  const auto dtype = tensor.find("dtype");
  if (dtype == tensor.end() || !dtype->is_string()) {
    return absl::InvalidArgumentError("dtype is not a string");
  }
  const auto& type_name = dtype->get_ref<const std::string&>();
  const std::optional<DataType> type = TypeNamed(type_name);
  if (!type) {
    return absl::InvalidArgumentError(
        fmt::format("dtype \"{}\" is not supported", type_name));
  }
  TensorView view;
  view.type = *type;
  ASSIGN_OR_RETURN(view.shape, ReadIntegers(tensor, "shape"));
  ASSIGN_OR_RETURN(const auto range, ReadIntegers(tensor, "data_offsets"));
  if (range.size() != 2 || range[0] > range[1] ||
      static_cast<uint64_t>(range[1]) > data.size()) {
    return absl::InvalidArgumentError(
        fmt::format("data_offsets {} do not lie within the {} bytes of data; "
                    "is the file truncated?",
                    ShapeText(range), data.size()));
  }
  const auto bytes = static_cast<uint64_t>(range[1] - range[0]);
  if (BytesOf(view.shape, SizeOf(view.type)) != bytes) {
    return absl::InvalidArgumentError(
        fmt::format("shape {} of {} does not fill data_offsets {}",
                    ShapeText(view.shape), type_name, ShapeText(range)));
  }
  view.bytes = data.subspan(static_cast<size_t>(range[0]), bytes);
  return view;
}

// Safetensors' own rule: the tensors tile the data, no overlap, no hole.
absl::Status CheckTiling(const std::map<std::string, TensorView>& tensors,
                         std::span<const std::byte> data) {
  std::vector<std::pair<size_t, size_t>> ranges;  // begin, end
  for (const auto& [name, view] : tensors) {
    const auto begin = static_cast<size_t>(view.bytes.data() - data.data());
    ranges.emplace_back(begin, begin + view.bytes.size());
  }
  std::sort(ranges.begin(), ranges.end());
  size_t expected = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != expected) {
      return absl::InvalidArgumentError(fmt::format(
          "data_offsets {} {} byte {}: tensors must follow each "
          "other without overlap or hole",
          begin, begin < expected ? "overlap" : "leave a hole at", expected));
    }
    expected = end;
  }
  if (expected != data.size()) {
    return absl::InvalidArgumentError(
        fmt::format("the tensors end at byte {} of {} bytes of data", expected,
                    data.size()));
  }
  return absl::OkStatus();
}

absl::StatusOr<json> ReadHeader(std::span<const std::byte> file,
                                size_t* data_offset) {
  if (file.size() < kLengthBytes) {
    return absl::InvalidArgumentError(
        "not a safetensors file: shorter than its header's length");
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), kLengthBytes);
  if (header_bytes > kMaxHeaderBytes ||
      header_bytes > file.size() - kLengthBytes) {
    return absl::InvalidArgumentError(fmt::format(
        "header length {} does not fit the file of {} bytes; it is truncated "
        "or not a safetensors file",
        header_bytes, file.size()));
  }
  const auto* text = reinterpret_cast<const char*>(file.data()) + kLengthBytes;
  const auto within_depth = [](int depth, json::parse_event_t, json&) {
    return depth <= kMaxHeaderDepth;
  };
  json header = json::parse(text, text + header_bytes, within_depth,
                            /*allow_exceptions=*/false);
  if (!header.is_object()) {
    return absl::InvalidArgumentError("the header is not a JSON object");
  }
  *data_offset = kLengthBytes + static_cast<size_t>(header_bytes);
  return header;
}

absl::StatusOr<std::map<std::string, std::string>> ReadMetadata(
    const json& header) {
  std::map<std::string, std::string> metadata;
  const auto found = header.find(kMetadataKey);
  if (found == header.end()) return metadata;
  if (!found->is_object()) {
    return absl::InvalidArgumentError("__metadata__ is not an object");
  }
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) {
      return absl::InvalidArgumentError(
          fmt::format("__metadata__.{} is not a string", key));
    }
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

// The header and data of one parsed file; views point into `file`.
struct Parsed {
  json header;
  std::span<const std::byte> data;
  std::map<std::string, std::string> metadata;
  std::map<std::string, TensorView> tensors;
};

absl::StatusOr<Parsed> ParseFile(std::span<const std::byte> file) {
  Parsed parsed;
  size_t data_offset = 0;
  ASSIGN_OR_RETURN(parsed.header, ReadHeader(file, &data_offset));
  parsed.data = file.subspan(data_offset);
  ASSIGN_OR_RETURN(parsed.metadata, ReadMetadata(parsed.header));
  for (const auto& [name, entry] : parsed.header.items()) {
    if (name == kMetadataKey) continue;
    auto view = ReadTensor(entry, parsed.data);
    if (!view.ok()) {
      return Annotate(view.status(), fmt::format("tensor \"{}\"", name));
    }
    parsed.tensors.emplace(name, *std::move(view));
  }
  RETURN_IF_ERROR(CheckTiling(parsed.tensors, parsed.data));
  std::erase_if(parsed.tensors, [](const auto& entry) {
    return std::string_view(entry.first).starts_with(kPadding);
  });
  return parsed;
}

absl::Status CheckOurs(const Parsed& parsed, std::string_view format,
                       int version) {
  const auto text = [&](const char* key) -> std::string {
    const auto found = parsed.metadata.find(key);
    return found == parsed.metadata.end() ? "" : found->second;
  };
  if (text("format") != format) {
    return absl::InvalidArgumentError(fmt::format(
        "__metadata__.format is \"{}\", not \"{}\"", text("format"), format));
  }
  int found_version = 0;
  const std::string digits = text("version");
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, found_version);
  if (error != std::errc() || stop != end || found_version < 1) {
    return absl::InvalidArgumentError(
        fmt::format("__metadata__.version \"{}\" is not a version", digits));
  }
  if (found_version > version) {
    return absl::FailedPreconditionError(fmt::format(
        "written by a newer program (version {} of {}, this program reads up "
        "to {}); update it or build the file again",
        found_version, format, version));
  }
  if (text("checksum") != Checksum(parsed.header, parsed.data)) {
    return absl::DataLossError(
        "checksum does not match: the file is damaged; build it again");
  }
  return absl::OkStatus();
}

}  // namespace

size_t SizeOf(DataType type) { return Info(type).bytes; }
std::string_view Name(DataType type) { return Info(type).name; }

int64_t TensorView::num_elements() const {
  return static_cast<int64_t>(bytes.size() / SizeOf(type));
}

absl::StatusOr<std::shared_ptr<const Artifact>> Artifact::Read(
    std::shared_ptr<Artifact> artifact, std::span<const std::byte> bytes,
    std::string_view format, int version) {
  auto parsed = ParseFile(bytes);
  if (!parsed.ok()) return Annotate(parsed.status(), artifact->path_);
  if (!format.empty()) {
    RETURN_IF_ERROR(
        Annotate(CheckOurs(*parsed, format, version), artifact->path_));
  }
  artifact->metadata_ = std::move(parsed->metadata);
  artifact->tensors_ = std::move(parsed->tensors);
  return std::shared_ptr<const Artifact>(std::move(artifact));
}

absl::StatusOr<std::shared_ptr<const Artifact>> Artifact::Open(
    const std::string& path) {
  return Open(path, /*format=*/"", /*version=*/0);
}

absl::StatusOr<std::shared_ptr<const Artifact>> Artifact::Open(
    const std::string& path, std::string_view format, int version) {
  ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  std::shared_ptr<Artifact> artifact(new Artifact());
  artifact->path_ = path;
  artifact->file_ = file;
  return Read(std::move(artifact), file->bytes(), format, version);
}

absl::StatusOr<std::shared_ptr<const Artifact>> Artifact::FromBytes(
    std::string bytes, std::string_view format, int version) {
  std::shared_ptr<Artifact> artifact(new Artifact());
  artifact->path_ = "memory";
  size_t space = bytes.size() + kArtifactAlignment;
  artifact->memory_ = std::make_unique_for_overwrite<std::byte[]>(space);
  void* aligned = artifact->memory_.get();
  std::align(kArtifactAlignment, bytes.size(), aligned, space);
  std::memcpy(aligned, bytes.data(), bytes.size());
  const std::span copy(static_cast<const std::byte*>(aligned), bytes.size());
  return Read(std::move(artifact), copy, format, version);
}

absl::StatusOr<TensorView> Artifact::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    return absl::NotFoundError(
        fmt::format("{}: there is no tensor \"{}\"", path_, name));
  }
  return found->second;
}

absl::StatusOr<std::string> Artifact::Metadata(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) {
    return absl::NotFoundError(
        fmt::format("{}: there is no __metadata__.{}", path_, key));
  }
  return found->second;
}

absl::StatusOr<TensorView> Artifact::FindTyped(
    const std::string& name, DataType type, size_t alignment,
    const std::vector<int64_t>& shape) const {
  ASSIGN_OR_RETURN(TensorView view, Find(name));
  const bool same_shape =
      std::equal(shape.begin(), shape.end(), view.shape.begin(),
                 view.shape.end(), [](int64_t wanted, int64_t found) {
                   return wanted == -1 || wanted == found;
                 });
  if (view.type != type || !same_shape) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: tensor \"{}\" is {} {}, not {} {}", path_, name, Name(view.type),
        ShapeText(view.shape), Name(type), ShapeText(shape)));
  }
  if (reinterpret_cast<uintptr_t>(view.bytes.data()) % alignment != 0) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: tensor \"{}\" does not start at a multiple of {} bytes", path_,
        name, alignment));
  }
  return view;
}

void Artifact::DropPages() const {
  if (file_ == nullptr || file_->bytes().empty()) return;
  madvise(const_cast<std::byte*>(file_->bytes().data()), file_->bytes().size(),
          MADV_DONTNEED);
}

}  // namespace quaver
