// See segment_fuzz.h.
#include "quaver/index/internal/segment_fuzz.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"
#include "quaver/index/internal/vector_fuzz.h"
#include "quaver/index/name_scores.h"
#include "quaver/index/segment.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr size_t kDimension = 8;

std::vector<Document> Documents() {
  std::vector<Document> documents;
  const auto add = [&](uint8_t type, const char* title, const char* artist,
                       const char* genre, int year, const char* description) {
    const std::string number = std::to_string(documents.size());
    documents.push_back({.type = type,
                         .id = "id:" + number,
                         .title = title,
                         .artist = artist,
                         .album = year > 0 ? "Album " + number : "",
                         .genre = genre,
                         .description = description,
                         .year = year,
                         .popularity = static_cast<float>(year % 10) / 10,
                         .embedded_hash = Hash64(title)});
  };
  add(0, "Hey Jude", "The Beatles", "Rock", 1968, "");
  add(0, "Help!", "The Beatles", "Rock", 1965, "");
  add(0, "Hey Joe", "Jimi Hendrix", "Rock", 1966, "A song of a man who runs");
  add(0, "Jóga", "Björk", "Électronique", 1997, "");
  add(0, "上を向いて歩こう", "坂本九", "歌謡曲", 1961, "Sukiyaki 🎵");
  add(0, "Désenchantée", "Mylène Farmer", "Pop", 1991, "");
  add(1, "The Beatles", "", "Rock", 0, "A band from Liverpool");
  add(1, "Björk", "", "", 0, "");
  add(2, "Homogenic", "Björk", "Électronique", 1997, "");
  add(3, "Песни", "", "Podcast", 2021, "Истории песен");
  add(4, "The Beatles, in order", "Песни", "Podcast", 2022, "The Beatles!");
  add(5, "Hey hey hey", "", "", 0, "");
  add(7, "!!!", "!!!", "Dance", 2001, "A name of signs");
  return documents;
}

EditedTensors BuildTensors() {
  SegmentBuilder builder(
      {.dimension = kDimension,
       .vectors = {
           .exhaustive_below = 0, .items_per_list = 4, .num_threads = 1}});
  Random random(1);
  for (Document& document : Documents()) {
    if (document.type != 2) {  // some have no vector
      for (size_t i = 0; i < kDimension; ++i) {
        document.embedding.push_back(static_cast<float>(random.Normal()));
      }
    }
    QUAVER_CHECK(builder.Add(std::move(document)).ok());
  }
  const auto writer = builder.Finish();
  QUAVER_CHECK(writer.ok());
  const auto artifact =
      Artifact::FromBytes(writer->Serialize(), kSegmentFormat, kSegmentVersion);
  QUAVER_CHECK(artifact.ok());
  return CopyTensors(**artifact);
}

// Asks an open segment for all that it has. All tensors lie in one block of
// memory, so a sanitizer sees no read beyond a tensor: answers are held to
// their tensor's bounds here.
class Checker {
 public:
  Checker(const Artifact& artifact, const Segment& segment)
      : artifact_(artifact),
        segment_(segment),
        lexical_(segment.lexical()),
        N_(segment.num_documents()) {}

  void CheckAll() {
    CheckColumns();
    CheckDocuments();
    CheckTerms();
    CheckNames();
    CheckGrams();
    CheckScores("hey jude", "beatles");
    CheckScores("", "");
    if (segment_.vectors() != nullptr) CheckVectors(*segment_.vectors());
  }

 private:
  template <typename T>
  void CheckInside(const std::string& tensor, std::span<const T> part) const {
    const std::span<const T> whole = *artifact_.Get<T>(tensor, {-1});
    QUAVER_CHECK(part.size() <= whole.size());
    if (part.empty()) return;
    const std::less_equal<const T*> at_most;
    QUAVER_CHECK(at_most(whole.data(), part.data()));
    QUAVER_CHECK(
        at_most(part.data() + part.size(), whole.data() + whole.size()));
  }
  void CheckText(const std::string& tensor, std::string_view text) const {
    CheckInside<char>(tensor, text);
  }
  void CheckIds(const std::string& tensor, std::span<const uint32_t> ids,
                size_t bound) const {
    CheckInside(tensor, ids);
    for (const uint32_t id : ids) QUAVER_CHECK(id < bound);
  }
  void CheckNameColumn(std::span<const uint32_t> column) const {
    QUAVER_CHECK(column.size() == N_);
    for (const uint32_t name : column) {
      QUAVER_CHECK(name == kNoName || name < lexical_.num_names());
    }
    lexical_.PrefetchNames(column);
  }
  static void CheckRange(IdRange range, uint32_t bound) {
    QUAVER_CHECK(range.begin <= range.end && range.end <= bound);
  }

  void CheckColumns() const;
  void CheckDocuments() const;
  void CheckTerms() const;
  void CheckNames() const;
  void CheckGrams() const;
  void CheckScores(std::string_view query, std::string_view guess);
  void CheckVectors(const VectorIndex& vectors) const;

  const Artifact& artifact_;
  const Segment& segment_;
  const LexicalIndex& lexical_;
  const uint32_t N_;
  NameScoreArrays arrays_;
};

void Checker::CheckColumns() const {
  QUAVER_CHECK(segment_.types().size() == N_);
  QUAVER_CHECK(segment_.years().size() == N_);
  QUAVER_CHECK(segment_.popularity().size() == N_);
  QUAVER_CHECK(segment_.genres().size() == N_);
  for (const float popularity : segment_.popularity()) {
    QUAVER_CHECK(popularity >= 0 && popularity <= 1);
  }
  for (const std::string_view genre : segment_.genre_names()) {
    CheckText("genres.bytes", genre);
    Normalize(genre);
  }
  uint32_t next = 0;
  for (uint8_t type = 0; type < kMaxDocumentTypes; ++type) {
    const auto [begin, end] = segment_.TypeRange(type);
    QUAVER_CHECK(begin == next && begin <= end && end <= N_);
    for (; next < end; ++next) QUAVER_CHECK(segment_.types()[next] == type);
  }
  QUAVER_CHECK(next == N_);
}

void Checker::CheckDocuments() const {
  for (uint32_t doc = 0; doc < N_; ++doc) {
    const DocumentView document = segment_.document(doc);
    for (const std::string_view text :
         {document.id, document.title, document.artist, document.album,
          document.description}) {
      CheckText("strings.bytes", text);
    }
    QUAVER_CHECK(segment_.genres()[doc] < segment_.genre_names().size());
    QUAVER_CHECK(document.genre ==
                 segment_.genre_names()[segment_.genres()[doc]]);
    QUAVER_CHECK(document.type == segment_.types()[doc]);
    QUAVER_CHECK(document.year == segment_.years()[doc]);
    // Ids out of order are not found.
    const auto found = segment_.Find(document.id);
    if (!found) continue;
    QUAVER_CHECK(*found < N_);
    QUAVER_CHECK(segment_.document(*found).id == document.id);
  }
  for (const char* absent : {"", "id:", "id:\xFF\xFF"}) segment_.Find(absent);
}

void Checker::CheckTerms() const {
  const uint32_t num_terms = lexical_.num_terms();
  for (uint32_t term = 0; term < num_terms; ++term) {
    const std::string_view text = lexical_.term(term);
    CheckText("lexical.terms.bytes", text);
    QUAVER_CHECK(lexical_.FindTerm(text) == term);
    CheckRange(lexical_.TermPrefix(text.substr(0, 1)), num_terms);
    const TermPostings postings = lexical_.postings(term);
    CheckIds("lexical.postings.ids", postings.docs, N_);
    CheckInside("lexical.postings.impacts", postings.impacts);
    QUAVER_CHECK(postings.docs.size() == postings.impacts.size());
    QUAVER_CHECK(std::isfinite(lexical_.TermIdf(term)));
  }
  const IdRange all = lexical_.TermPrefix("");
  QUAVER_CHECK(all.begin == 0);
  CheckRange(all, num_terms);
  lexical_.FindTerm("absent");
}

void Checker::CheckNames() const {
  const uint32_t num_names = lexical_.num_names();
  for (uint32_t name = 0; name < num_names; ++name) {
    const std::string_view text = lexical_.name(name);
    CheckText("lexical.names.bytes", text);
    CheckRange(lexical_.NamePrefix(text), num_names);
    CheckRange(lexical_.NamePrefix(text.substr(0, 2)), num_names);
    CheckIds("lexical.name_terms.ids", lexical_.name_terms(name),
             lexical_.num_terms());
    CheckIds("lexical.title_docs.ids", lexical_.title_docs(name), N_);
    CheckIds("lexical.artist_docs.ids", lexical_.artist_docs(name), N_);
    const float norm = lexical_.gram_norm(name);
    QUAVER_CHECK(norm > 0 && std::isfinite(norm));
    // The ranker reads names so, which may be no UTF-8 any more.
    ToCodePoints(text);
    SplitWords(text);
  }
  CheckNameColumn(lexical_.title_names());
  CheckNameColumn(lexical_.artist_names());
  CheckNameColumn(lexical_.album_names());
}

void Checker::CheckGrams() const {
  const size_t padded = lexical_.padded_names();
  QUAVER_CHECK(padded % kTallyBlock == 0 && padded >= lexical_.num_names());
  QUAVER_CHECK(lexical_.gram_scales().size() == padded);
  const std::span<const Gram> grams =
      *artifact_.Get<Gram>("lexical.grams", {-1});
  for (const Gram gram : grams) {
    const auto place = lexical_.FindGram(gram);
    QUAVER_CHECK(place.has_value());
    const std::span<const uint32_t> names = lexical_.gram_names(*place);
    CheckIds("lexical.gram_names.ids", names, lexical_.num_names());
    QUAVER_CHECK(std::isfinite(lexical_.GramIdf(names.size())));
    const uint32_t* bitmap = lexical_.gram_bitmap(*place);
    if (bitmap == nullptr) continue;
    for (uint32_t name = 0; name < padded; ++name) {
      const bool set = (bitmap[name / kTallyBlock] >> name % kTallyBlock) & 1;
      const bool listed =
          std::find(names.begin(), names.end(), name) != names.end();
      QUAVER_CHECK(set == listed);
    }
  }
}

void Checker::CheckScores(std::string_view query, std::string_view guess) {
  std::vector<Gram> grams, more, guesses;
  ExtractGrams(query, grams);
  ExtractGrams(guess, more);
  std::set_difference(more.begin(), more.end(), grams.begin(), grams.end(),
                      std::back_inserter(guesses));
  NameScores scores(lexical_, grams, guesses, arrays_);
  QUAVER_CHECK(std::isfinite(scores.norm()));
  for (const uint32_t name : scores.Best(10)) {
    QUAVER_CHECK(name < lexical_.num_names());
  }
  for (uint32_t name = 0; name < lexical_.num_names(); ++name) {
    QUAVER_CHECK(scores.sum(name) >= 0 && std::isfinite(scores.sum(name)));
  }
}

void Checker::CheckVectors(const VectorIndex& vectors) const {
  CheckVectorAnswers(vectors);
  const std::vector<float> query(vectors.dimension(), 1);
  VectorParams params;
  params.num_results = vectors.size();
  for (const VectorHit& hit : vectors.Search(query, params, nullptr)) {
    QUAVER_CHECK(hit.item < N_);
  }
  for (uint32_t doc = 0; doc < N_; ++doc) {
    QUAVER_CHECK(std::isfinite(vectors.Score(query, doc)));
  }
}

}  // namespace

const EditedTensors& ValidSegmentTensors() {
  static const EditedTensors valid = BuildTensors();
  return valid;
}

std::string CheckEditedSegment(std::string_view edits) {
  EditedTensors tensors = ValidSegmentTensors();
  ApplyEdits(edits, tensors);
  const auto artifact = WrapTensors(tensors, kSegmentFormat, kSegmentVersion);
  const auto segment = Segment::FromArtifact(artifact, BestKernels());
  if (!segment.ok()) {
    QUAVER_CHECK(!segment.status().message().empty());
    return Message(segment.status());
  }
  Checker(*artifact, **segment).CheckAll();
  return "";
}

}  // namespace quaver
