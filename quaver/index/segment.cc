// See segment.h.
#include "quaver/index/segment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "quaver/index/vector_format.h"

namespace quaver {
namespace {

enum Text { kId, kTitle, kArtist, kAlbum, kDescription, kNumTexts };

// Distinct strings, back to back.
struct Strings {
  std::span<const uint32_t> offsets;
  std::string_view bytes;

  size_t size() const { return offsets.size() - 1; }
  std::string_view operator[](uint32_t i) const {
    return bytes.substr(offsets[i], offsets[i + 1] - offsets[i]);
  }
};

absl::Status Damaged(const Artifact& artifact, const std::string& reason) {
  return absl::InvalidArgumentError(fmt::format(
      "{}: {}; rebuild the index from its catalogue", artifact.path(), reason));
}

absl::Status ReadStrings(const Artifact& artifact, const std::string& name,
                         Strings& strings) {
  ASSIGN_OR_RETURN(const auto bytes, artifact.Get<char>(name + ".bytes", {-1}));
  ASSIGN_OR_RETURN(strings.offsets,
                   artifact.Get<uint32_t>(name + ".offsets", {-1}));
  strings.bytes = std::string_view(bytes.data(), bytes.size());
  const auto& offsets = strings.offsets;
  if (offsets.empty() || offsets.front() != 0 ||
      offsets.back() != bytes.size() ||
      !std::is_sorted(offsets.begin(), offsets.end())) {
    return Damaged(artifact, name + ".offsets do not rise to the end");
  }
  return absl::OkStatus();
}

bool AllBelow(std::span<const uint32_t> ids, size_t bound) {
  return std::all_of(ids.begin(), ids.end(),
                     [bound](uint32_t id) { return id < bound; });
}

}  // namespace

struct Segment::Impl {
  std::shared_ptr<const Artifact> artifact;
  std::span<const uint8_t> types;
  std::span<const int16_t> years;
  std::span<const float> popularity;
  std::span<const uint32_t> genre_ids;
  std::span<const uint64_t> hashes;
  std::span<const uint32_t> texts;  // [num_documents, kNumTexts]
  std::span<const uint32_t> id_order;
  Strings strings;
  Strings genres;
  std::vector<std::string_view> genre_names;
  std::array<uint32_t, kMaxDocumentTypes + 1> type_begins = {};
  std::unique_ptr<const LexicalIndex> lexical;
  std::unique_ptr<const SoundTerms> sounds;
  std::unique_ptr<const VectorIndex> vectors;

  absl::Status ReadColumns();
  absl::Status CheckColumns();
  std::string_view text(uint32_t doc, Text which) const {
    return strings[texts[size_t{doc} * kNumTexts + which]];
  }
};

absl::Status Segment::Impl::ReadColumns() {
  ASSIGN_OR_RETURN(types, artifact->Get<uint8_t>("types", {-1}));
  const auto N = static_cast<int64_t>(types.size());
  ASSIGN_OR_RETURN(years, artifact->Get<int16_t>("years", {N}));
  ASSIGN_OR_RETURN(popularity, artifact->Get<float>("popularity", {N}));
  ASSIGN_OR_RETURN(genre_ids, artifact->Get<uint32_t>("genre_ids", {N}));
  ASSIGN_OR_RETURN(hashes, artifact->Get<uint64_t>("embedded_hashes", {N}));
  ASSIGN_OR_RETURN(texts, artifact->Get<uint32_t>("texts", {N * kNumTexts}));
  ASSIGN_OR_RETURN(id_order, artifact->Get<uint32_t>("id_order", {N}));
  RETURN_IF_ERROR(ReadStrings(*artifact, "strings", strings));
  return ReadStrings(*artifact, "genres", genres);
}

absl::Status Segment::Impl::CheckColumns() {
  if (!std::is_sorted(types.begin(), types.end()) ||
      (!types.empty() && types.back() >= kMaxDocumentTypes)) {
    return Damaged(*artifact, "types are not in order");
  }
  if (!AllBelow(genre_ids, genres.size())) {
    return Damaged(*artifact, "genre_ids point outside the genres");
  }
  if (!AllBelow(texts, strings.size())) {
    return Damaged(*artifact, "texts point outside the strings");
  }
  if (!AllBelow(id_order, types.size())) {
    return Damaged(*artifact, "id_order points outside the documents");
  }
  if (!std::all_of(popularity.begin(), popularity.end(),
                   [](float p) { return p >= 0 && p <= 1; })) {
    return Damaged(*artifact, "popularity is outside [0, 1]");
  }
  for (int type = 0; type <= kMaxDocumentTypes; ++type) {
    type_begins[type] = static_cast<uint32_t>(
        std::lower_bound(types.begin(), types.end(), type) - types.begin());
  }
  for (uint32_t i = 0; i < genres.size(); ++i) {
    genre_names.push_back(genres[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Segment>> Segment::Open(
    const std::string& path, const Kernels& kernels) {
  ASSIGN_OR_RETURN(auto artifact,
                   Artifact::Open(path, kSegmentFormat, kSegmentVersion));
  return FromArtifact(std::move(artifact), kernels);
}

absl::StatusOr<std::shared_ptr<const Segment>> Segment::FromArtifact(
    std::shared_ptr<const Artifact> artifact, const Kernels& kernels) {
  auto impl = std::make_unique<Impl>();
  impl->artifact = artifact;
  RETURN_IF_ERROR(impl->ReadColumns());
  RETURN_IF_ERROR(impl->CheckColumns());
  ASSIGN_OR_RETURN(
      impl->lexical,
      LexicalIndex::Open(artifact, static_cast<uint32_t>(impl->types.size()),
                         kernels));
  impl->sounds = std::make_unique<const SoundTerms>(*impl->lexical);
  if (HasVectorTensors(*artifact)) {
    ASSIGN_OR_RETURN(impl->vectors, VectorIndex::Open(artifact, kernels));
    ASSIGN_OR_RETURN(const auto items,
                     artifact->Get<uint32_t>(kVectorItems, {-1}));
    if (!AllBelow(items, impl->types.size())) {
      return Damaged(*artifact, "vector.items name documents that are absent");
    }
  }
  return std::shared_ptr<const Segment>(new Segment(std::move(impl)));
}

Segment::Segment(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Segment::~Segment() = default;

uint32_t Segment::num_documents() const {
  return static_cast<uint32_t>(impl_->types.size());
}

std::pair<uint32_t, uint32_t> Segment::TypeRange(uint8_t type) const {
  return {impl_->type_begins[type], impl_->type_begins[type + 1]};
}

DocumentView Segment::document(uint32_t doc) const {
  return {.type = impl_->types[doc],
          .id = impl_->text(doc, kId),
          .title = impl_->text(doc, kTitle),
          .artist = impl_->text(doc, kArtist),
          .album = impl_->text(doc, kAlbum),
          .genre = impl_->genre_names[impl_->genre_ids[doc]],
          .description = impl_->text(doc, kDescription),
          .year = impl_->years[doc],
          .popularity = impl_->popularity[doc],
          .embedded_hash = impl_->hashes[doc]};
}

std::optional<uint32_t> Segment::Find(std::string_view id) const {
  const auto found =
      std::lower_bound(impl_->id_order.begin(), impl_->id_order.end(), id,
                       [this](uint32_t doc, std::string_view wanted) {
                         return impl_->text(doc, kId) < wanted;
                       });
  if (found == impl_->id_order.end() || impl_->text(*found, kId) != id) {
    return std::nullopt;
  }
  return *found;
}

std::span<const uint8_t> Segment::types() const { return impl_->types; }
std::span<const int16_t> Segment::years() const { return impl_->years; }
std::span<const float> Segment::popularity() const { return impl_->popularity; }
std::span<const uint32_t> Segment::genres() const { return impl_->genre_ids; }
const std::vector<std::string_view>& Segment::genre_names() const {
  return impl_->genre_names;
}
const LexicalIndex& Segment::lexical() const { return *impl_->lexical; }
const SoundTerms& Segment::sounds() const { return *impl_->sounds; }
const VectorIndex* Segment::vectors() const { return impl_->vectors.get(); }

}  // namespace quaver
