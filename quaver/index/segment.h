// An immutable part of the index: documents with their words and vectors.
//
//   SegmentBuilder builder(config);
//   builder.Add(std::move(document));
//   ASSIGN_OR_RETURN(ArtifactWriter writer, builder.Finish());
//   RETURN_IF_ERROR(writer.WriteTo(path));
//   ASSIGN_OR_RETURN(auto segment, Segment::Open(path, BestKernels()));
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/artifact/artifact.h"
#include "quaver/base/status.h"
#include "quaver/index/document.h"
#include "quaver/index/lexical.h"
#include "quaver/index/sound_terms.h"
#include "quaver/index/vector.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

inline constexpr char kSegmentFormat[] = "quaver.segment";
inline constexpr int kSegmentVersion = 1;

struct SegmentConfig {
  size_t dimension = 0;  // D of embeddings; 0: no vectors
  VectorConfig vectors;
};

// Documents are numbered anew: by type, then by falling popularity, then id,
// so that every postings list is in order of popularity within a type.
class SegmentBuilder {
 public:
  explicit SegmentBuilder(SegmentConfig config);
  ~SegmentBuilder();

  // Takes the document. InvalidArgument for a bad type or embedding size.
  absl::Status Add(Document document);
  size_t num_documents() const;

  // Builds all parts. Call once. AlreadyExists for a repeated id.
  absl::StatusOr<ArtifactWriter> Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Immutable, thread-safe, reads the artifact's memory in place.
class Segment {
 public:
  // Checks every offset, so that no later call can read out of bounds.
  static absl::StatusOr<std::shared_ptr<const Segment>> Open(
      const std::string& path, const Kernels& kernels);
  static absl::StatusOr<std::shared_ptr<const Segment>> FromArtifact(
      std::shared_ptr<const Artifact> artifact, const Kernels& kernels);
  ~Segment();

  uint32_t num_documents() const;
  // Documents of a type are [begin, end).
  std::pair<uint32_t, uint32_t> TypeRange(uint8_t type) const;

  DocumentView document(uint32_t doc) const;  // REQUIRES: doc < num_documents
  std::optional<uint32_t> Find(std::string_view id) const;

  // Columns, [num_documents], for filters and ranking.
  std::span<const uint8_t> types() const;
  std::span<const int16_t> years() const;
  std::span<const float> popularity() const;
  std::span<const uint32_t> genres() const;  // index of genre_names
  // Distinct genres as written by the documents; [0] is "".
  const std::vector<std::string_view>& genre_names() const;

  const LexicalIndex& lexical() const;
  // Its terms by sound, told from the terms when the segment is opened.
  const SoundTerms& sounds() const;
  // Items are document numbers; null when the segment has no vectors.
  const VectorIndex* vectors() const;

 private:
  struct Impl;
  explicit Segment(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace quaver
