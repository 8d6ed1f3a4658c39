// SegmentBuilder of segment.h: orders documents and writes their columns.
#include <algorithm>
#include <numeric>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "quaver/index/lexical_builder.h"
#include "quaver/index/segment.h"

namespace quaver {
namespace {

// Distinct strings in order of first use.
class StringColumn {
 public:
  uint32_t Add(const std::string& text) {
    const auto [entry, inserted] =
        places_.try_emplace(text, static_cast<uint32_t>(offsets_.size() - 1));
    if (inserted) {
      bytes_ += text;
      offsets_.push_back(static_cast<uint32_t>(bytes_.size()));
    }
    return entry->second;
  }
  void Write(const std::string& name, ArtifactWriter& writer) const {
    writer.Add(name + ".offsets", offsets_);
    writer.Add<char>(name + ".bytes", {static_cast<int64_t>(bytes_.size())},
                     bytes_);
  }

 private:
  std::unordered_map<std::string, uint32_t> places_;
  std::vector<uint32_t> offsets_ = {0};
  std::string bytes_;
};

bool ComesBefore(const Document& a, const Document& b) {
  return std::tuple(a.type, -a.popularity, std::string_view(a.id)) <
         std::tuple(b.type, -b.popularity, std::string_view(b.id));
}

void WriteColumns(const std::vector<Document>& documents,
                  ArtifactWriter& writer) {
  StringColumn strings;
  StringColumn genres;
  genres.Add("");
  std::vector<uint8_t> types;
  std::vector<int16_t> years;
  std::vector<float> popularity;
  std::vector<uint32_t> genre_ids;
  std::vector<uint64_t> hashes;
  std::vector<uint32_t> texts;  // [num_documents, kNumTexts]
  for (const Document& document : documents) {
    types.push_back(document.type);
    years.push_back(static_cast<int16_t>(document.year));
    popularity.push_back(document.popularity);
    genre_ids.push_back(genres.Add(document.genre));
    hashes.push_back(document.embedded_hash);
    for (const std::string* text :
         {&document.id, &document.title, &document.artist, &document.album,
          &document.description}) {
      texts.push_back(strings.Add(*text));
    }
  }
  writer.Add("types", types);
  writer.Add("years", years);
  writer.Add("popularity", popularity);
  writer.Add("genre_ids", genre_ids);
  writer.Add("embedded_hashes", hashes);
  writer.Add("texts", texts);
  strings.Write("strings", writer);
  genres.Write("genres", writer);
}

// Document numbers in order of id; AlreadyExists for a repeated one.
absl::Status WriteIdOrder(const std::vector<Document>& documents,
                          ArtifactWriter& writer) {
  std::vector<uint32_t> order(documents.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return documents[a].id < documents[b].id;
  });
  for (size_t i = 1; i < order.size(); ++i) {
    if (documents[order[i]].id == documents[order[i - 1]].id) {
      return absl::AlreadyExistsError(
          fmt::format("two documents have the id {}", documents[order[i]].id));
    }
  }
  writer.Add("id_order", order);
  return absl::OkStatus();
}

}  // namespace

struct SegmentBuilder::Impl {
  SegmentConfig config;
  std::vector<Document> documents;
};

SegmentBuilder::SegmentBuilder(SegmentConfig config)
    : impl_(std::make_unique<Impl>(Impl{std::move(config), {}})) {}
SegmentBuilder::~SegmentBuilder() = default;

absl::Status SegmentBuilder::Add(Document document) {
  const size_t dimension = impl_->config.dimension;
  if (document.type >= kMaxDocumentTypes) {
    return absl::InvalidArgumentError(
        fmt::format("document {}: type {} is not below {}", document.id,
                    document.type, kMaxDocumentTypes));
  }
  if (!document.embedding.empty() && document.embedding.size() != dimension) {
    return absl::InvalidArgumentError(fmt::format(
        "document {}: its embedding has {} values, the index has {}",
        document.id, document.embedding.size(), dimension));
  }
  impl_->documents.push_back(std::move(document));
  return absl::OkStatus();
}

size_t SegmentBuilder::num_documents() const { return impl_->documents.size(); }

absl::StatusOr<ArtifactWriter> SegmentBuilder::Finish() {
  std::vector<Document> documents = std::move(impl_->documents);
  std::sort(documents.begin(), documents.end(), ComesBefore);
  ArtifactWriter writer(kSegmentFormat, kSegmentVersion);
  WriteColumns(documents, writer);
  RETURN_IF_ERROR(WriteIdOrder(documents, writer));
  if (impl_->config.dimension > 0) {
    VectorIndexBuilder vectors(impl_->config.dimension, impl_->config.vectors);
    for (uint32_t doc = 0; doc < documents.size(); ++doc) {
      std::vector<float>& embedding = documents[doc].embedding;
      if (embedding.empty()) continue;
      RETURN_IF_ERROR(vectors.Add(doc, embedding));
      embedding = {};  // frees: the builder has its copy
    }
    RETURN_IF_ERROR(vectors.Write(writer));
  }
  BuildLexical(documents, writer);
  return writer;
}

}  // namespace quaver
