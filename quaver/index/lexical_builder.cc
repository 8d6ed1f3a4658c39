// See lexical_builder.h.
#include "quaver/index/lexical_builder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quaver/index/grams.h"
#include "quaver/index/lexical.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Longer names are cut: 200 bytes tell any two apart that people type.
constexpr size_t kMaxNameBytes = 200;
// Words above this are noise (base64, URLs) and would swell the dictionary.
constexpr size_t kMaxTermBytes = 64;

// BM25F (Robertson, Zaragoza & Taylor 2004). A word of the title counts five
// times a word of the description; b is small for names, whose length says
// little about their subject.
enum Field { kTitle, kArtist, kAlbum, kGenre, kDescription, kNumFields };
constexpr std::array<double, kNumFields> kFieldWeight = {5, 4, 2, 2, 1};
constexpr std::array<double, kNumFields> kFieldB = {0.3, 0.3, 0.3, 0, 0.75};
constexpr double kK1 = 1.2;

// Cuts at a word's end, else at a character's.
std::string Cut(std::string text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = text.rfind(' ', max_bytes);
  if (end == std::string::npos || end == 0) {
    end = max_bytes;
    while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
  }
  text.resize(end);
  return text;
}

// Distinct strings; after Sort() each has its place in byte order.
class StringPool {
 public:
  uint32_t Add(const std::string& text) {
    const auto [entry, inserted] =
        places_.try_emplace(text, static_cast<uint32_t>(places_.size()));
    return entry->second;
  }
  uint32_t size() const { return static_cast<uint32_t>(places_.size()); }

  // Returns the new number of each old one.
  std::vector<uint32_t> Sort() {
    std::vector<uint32_t> order(places_.size());
    sorted_.reserve(places_.size());
    for (const auto& [text, place] : places_) sorted_.emplace_back(text, place);
    std::sort(sorted_.begin(), sorted_.end());
    for (uint32_t i = 0; i < sorted_.size(); ++i) order[sorted_[i].second] = i;
    return order;
  }
  std::string_view operator[](uint32_t i) const { return sorted_[i].first; }

  void Write(const std::string& name, ArtifactWriter& writer) const {
    std::vector<uint32_t> offsets = {0};
    std::string bytes;
    for (const auto& [text, place] : sorted_) {
      bytes += text;
      offsets.push_back(static_cast<uint32_t>(bytes.size()));
    }
    writer.Add(name + ".offsets", offsets);
    writer.Add<char>(name + ".bytes", {static_cast<int64_t>(bytes.size())},
                     bytes);
  }

 private:
  std::unordered_map<std::string, uint32_t> places_;
  std::vector<std::pair<std::string_view, uint32_t>> sorted_;
};

void WriteLists(const std::string& name,
                const std::vector<std::vector<uint32_t>>& lists,
                ArtifactWriter& writer) {
  std::vector<uint32_t> offsets = {0};
  std::vector<uint32_t> ids;
  for (const auto& list : lists) {
    ids.insert(ids.end(), list.begin(), list.end());
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  writer.Add(name + ".offsets", offsets);
  writer.Add(name + ".ids", ids);
}

// Lists of `key[i] -> i`, kNoName left out.
std::vector<std::vector<uint32_t>> Invert(const std::vector<uint32_t>& keys,
                                          uint32_t num_keys) {
  std::vector<std::vector<uint32_t>> lists(num_keys);
  for (uint32_t i = 0; i < keys.size(); ++i) {
    if (keys[i] != kNoName) lists[keys[i]].push_back(i);
  }
  return lists;
}

class Builder {
 public:
  explicit Builder(std::span<const Document> documents)
      : documents_(documents) {}

  void Build(ArtifactWriter& writer) {
    for (const Document& document : documents_) AddDocument(document);
    Renumber();
    terms_.Write("lexical.terms", writer);
    names_.Write("lexical.names", writer);
    writer.Add("lexical.title_names", title_names_);
    writer.Add("lexical.artist_names", artist_names_);
    writer.Add("lexical.album_names", album_names_);
    WriteLists("lexical.title_docs", Invert(title_names_, names_.size()),
               writer);
    WriteLists("lexical.artist_docs", Invert(artist_names_, names_.size()),
               writer);
    WriteNameTerms(writer);
    WritePostings(writer);
    WriteGrams(writer);
  }

 private:
  struct Occurrence {
    uint32_t term;
    uint32_t doc;
    uint16_t field;
    uint16_t count;
  };

  void AddDocument(const Document& document) {
    const std::array<const std::string*, kNumFields> fields = {
        &document.title, &document.artist, &document.album, &document.genre,
        &document.description};
    const uint32_t doc = static_cast<uint32_t>(title_names_.size());
    for (int field = 0; field < kNumFields; ++field) {
      const std::string text = Normalize(*fields[field]);
      AddWords(doc, field, text);
      if (field == kTitle) title_names_.push_back(AddName(text));
      if (field == kArtist) artist_names_.push_back(AddName(text));
      if (field == kAlbum) album_names_.push_back(AddName(text));
    }
  }

  uint32_t AddName(const std::string& text) {
    return text.empty() ? kNoName : names_.Add(Cut(text, kMaxNameBytes));
  }

  void AddWords(uint32_t doc, int field, std::string_view text) {
    std::map<uint32_t, uint16_t> counts;
    double length = 0;
    for (const std::string_view word : SplitWords(text)) {
      ++counts[terms_.Add(Cut(std::string(word), kMaxTermBytes))];
      ++length;
    }
    lengths_[field].push_back(length);
    total_length_[field] += length;
    num_filled_[field] += length > 0;
    for (const auto& [term, count] : counts) {
      occurrences_.push_back({term, doc, static_cast<uint16_t>(field), count});
    }
  }

  // Gives names and terms their numbers in byte order.
  void Renumber() {
    const std::vector<uint32_t> name_order = names_.Sort();
    for (auto* column : {&title_names_, &artist_names_, &album_names_}) {
      for (uint32_t& name : *column) {
        if (name != kNoName) name = name_order[name];
      }
    }
    // Names were cut at word ends, so their words are terms, but for a cut
    // inside a long word.
    for (uint32_t name = 0; name < names_.size(); ++name) {
      for (const std::string_view word : SplitWords(names_[name])) {
        terms_.Add(Cut(std::string(word), kMaxTermBytes));
      }
    }
    const std::vector<uint32_t> term_order = terms_.Sort();
    for (Occurrence& occurrence : occurrences_) {
      occurrence.term = term_order[occurrence.term];
    }
    for (uint32_t term = 0; term < terms_.size(); ++term) {
      term_ids_.emplace(terms_[term], term);
    }
  }

  void WriteNameTerms(ArtifactWriter& writer) const {
    std::vector<std::vector<uint32_t>> lists(names_.size());
    for (uint32_t name = 0; name < names_.size(); ++name) {
      for (const std::string_view word : SplitWords(names_[name])) {
        lists[name].push_back(
            term_ids_.at(Cut(std::string(word), kMaxTermBytes)));
      }
    }
    WriteLists("lexical.name_terms", lists, writer);
  }

  double FieldFrequency(const Occurrence& occurrence) const {
    const int field = occurrence.field;
    const double mean =
        total_length_[field] / std::max(1.0, num_filled_[field]);
    const double norm = 1 - kFieldB[field] +
                        kFieldB[field] * lengths_[field][occurrence.doc] / mean;
    return kFieldWeight[field] * occurrence.count / norm;
  }

  void WritePostings(ArtifactWriter& writer) {
    std::sort(occurrences_.begin(), occurrences_.end(),
              [](const Occurrence& a, const Occurrence& b) {
                return std::pair(a.term, a.doc) < std::pair(b.term, b.doc);
              });
    std::vector<uint32_t> offsets(terms_.size() + 1, 0);
    std::vector<uint32_t> docs;
    std::vector<uint8_t> impacts;
    for (size_t i = 0; i < occurrences_.size();) {
      const Occurrence& first = occurrences_[i];
      double frequency = 0;
      for (; i < occurrences_.size() && occurrences_[i].term == first.term &&
             occurrences_[i].doc == first.doc;
           ++i) {
        frequency += FieldFrequency(occurrences_[i]);
      }
      docs.push_back(first.doc);
      impacts.push_back(static_cast<uint8_t>(
          std::lround(255 * frequency / (kK1 + frequency))));
      ++offsets[first.term + 1];
    }
    for (size_t i = 1; i < offsets.size(); ++i) offsets[i] += offsets[i - 1];
    writer.Add("lexical.postings.offsets", offsets);
    writer.Add("lexical.postings.ids", docs);
    writer.Add("lexical.postings.impacts", impacts);
  }

  void WriteGrams(ArtifactWriter& writer) const {
    std::vector<std::pair<Gram, uint32_t>> pairs;
    std::vector<Gram> grams;
    for (uint32_t name = 0; name < names_.size(); ++name) {
      grams.clear();
      ExtractGrams(names_[name], grams);
      for (const Gram gram : grams) pairs.emplace_back(gram, name);
    }
    std::sort(pairs.begin(), pairs.end());
    std::vector<Gram> keys;
    std::vector<uint32_t> offsets;
    std::vector<uint32_t> ids;
    ids.reserve(pairs.size());
    for (const auto& [gram, name] : pairs) {
      if (keys.empty() || keys.back() != gram) {
        keys.push_back(gram);
        offsets.push_back(static_cast<uint32_t>(ids.size()));
      }
      ids.push_back(name);
    }
    offsets.push_back(static_cast<uint32_t>(ids.size()));
    writer.Add("lexical.grams", keys);
    writer.Add("lexical.gram_names.offsets", offsets);
    writer.Add("lexical.gram_names.ids", ids);
    writer.Add("lexical.gram_norms", GramNorms(offsets, ids));
  }

  std::vector<float> GramNorms(const std::vector<uint32_t>& offsets,
                               const std::vector<uint32_t>& ids) const {
    std::vector<double> squares(names_.size());
    for (size_t gram = 0; gram + 1 < offsets.size(); ++gram) {
      const double df = offsets[gram + 1] - offsets[gram];
      const double idf = 1 + std::log((1.0 + names_.size()) / (1 + df));
      for (uint32_t i = offsets[gram]; i < offsets[gram + 1]; ++i) {
        squares[ids[i]] += idf * idf;
      }
    }
    std::vector<float> norms(squares.size());
    for (size_t i = 0; i < norms.size(); ++i) {
      norms[i] = static_cast<float>(std::sqrt(squares[i]));
    }
    return norms;
  }

  std::span<const Document> documents_;
  StringPool terms_;
  StringPool names_;
  std::unordered_map<std::string_view, uint32_t> term_ids_;
  std::vector<uint32_t> title_names_;
  std::vector<uint32_t> artist_names_;
  std::vector<uint32_t> album_names_;
  std::vector<Occurrence> occurrences_;
  std::array<std::vector<double>, kNumFields> lengths_;  // in words, by doc
  std::array<double, kNumFields> total_length_ = {};
  std::array<double, kNumFields> num_filled_ = {};
};

}  // namespace

void BuildLexical(std::span<const Document> documents, ArtifactWriter& writer) {
  Builder(documents).Build(writer);
}

}  // namespace quaver
