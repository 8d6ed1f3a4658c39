// What the index stores and finds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quaver {

inline constexpr int kMaxDocumentTypes = 8;

struct Document {
  uint8_t type = 0;  // the caller's numbering, below kMaxDocumentTypes
  std::string id;    // unique in a snapshot
  std::string title;
  std::string artist;
  std::string album;
  std::string genre;
  std::string description;
  int year = 0;                  // 0: not known
  float popularity = 0;          // [0, 1], comparable within a type
  std::vector<float> embedding;  // [D], unit length, or empty
  // Of the text that was embedded: an equal hash means an equal embedding.
  uint64_t embedded_hash = 0;
};

// The same in a segment's memory, without the embedding.
struct DocumentView {
  uint8_t type = 0;
  std::string_view id;
  std::string_view title;
  std::string_view artist;
  std::string_view album;
  std::string_view genre;
  std::string_view description;
  int year = 0;
  float popularity = 0;
  uint64_t embedded_hash = 0;
};

}  // namespace quaver
