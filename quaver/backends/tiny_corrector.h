// For tests: a corrector's folder with random weights and a small vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "quaver/engine/tiny_bart.h"

namespace quaver {

// Five special tokens, letters with and without a space. A line feed, a byte
// that is no UTF-8 and a character's first byte are among them, so that answers
// of random weights need cleaning.
inline void WriteTinyVocabulary(const std::string& folder, int size) {
  nlohmann::json vocabulary;
  int32_t id = 0;
  for (const char* token :
       {"<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ċ", "ÿ", "Ã", "ĠÃ", "Ġ"}) {
    vocabulary[token] = id++;
  }
  std::string merges = "#version: 0.2\n";
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    vocabulary[std::string(1, letter)] = id++;
  }
  for (char letter = 'a'; id < size; ++letter) {
    vocabulary[std::string("Ġ") + letter] = id++;
    merges += std::string("Ġ ") + letter + "\n";
  }
  TinyBart::Must(
      WriteFileAtomically(folder + "/vocab.json", vocabulary.dump()));
  TinyBart::Must(WriteFileAtomically(folder + "/merges.txt", merges));
}

// Replaces the folder.
inline void WriteTinyCorrector(const std::string& folder) {
  std::filesystem::remove_all(folder);
  TinyBart().WriteTo(folder);
  WriteTinyVocabulary(folder, TinyBart::kVocabulary);
}

}  // namespace quaver
