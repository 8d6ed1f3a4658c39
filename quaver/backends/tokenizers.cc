// See tokenizers.h.
#include "quaver/backends/tokenizers.h"

#include <nlohmann/json.hpp>

#include "quaver/artifact/model_files.h"
#include "quaver/base/json.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

template <typename Tokenizer>
absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const std::string& path) {
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(path));
  return Tokenizer::Load(
      [&files](const std::string& name) { return files.Read(name); }, path);
}

// A damaged file is left to who loads it.
bool IsWordPiece(const ModelFiles& files) {
  const auto json = files.Read("tokenizer.json");
  if (!json.ok()) return files.Has("vocab.txt");
  const nlohmann::json root = ParseJson(*json);
  const nlohmann::json::json_pointer type("/model/type");
  return root.is_object() && root.contains(type) && root[type] == "WordPiece";
}

}  // namespace

absl::StatusOr<std::unique_ptr<const WordPiece>> LoadWordPiece(
    const std::string& path) {
  return Load<WordPiece>(path);
}

absl::StatusOr<std::unique_ptr<const Bpe>> LoadBpe(const std::string& path) {
  return Load<Bpe>(path);
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(
    const std::string& path) {
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(path));
  if (IsWordPiece(files)) {
    ASSIGN_OR_RETURN(auto word_piece, LoadWordPiece(path));
    return std::unique_ptr<const Tokenizer>(
        new Tokenizer(std::move(word_piece)));
  }
  ASSIGN_OR_RETURN(auto bpe, LoadBpe(path));
  return std::unique_ptr<const Tokenizer>(new Tokenizer(std::move(bpe)));
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text,
                                       int max_tokens) const {
  return std::visit(
      [&](const auto& one) { return one->Encode(text, max_tokens); }, kind_);
}

std::string Tokenizer::Decode(std::span<const int32_t> ids) const {
  const std::string bytes =
      std::visit([&](const auto& one) { return one->Decode(ids); }, kind_);
  return ToUtf8(ToCodePoints(bytes));
}

int Tokenizer::vocab_size() const {
  return std::visit([](const auto& one) { return one->vocab_size(); }, kind_);
}

int32_t Tokenizer::pad_id() const {
  if (const auto* word_piece = std::get_if<0>(&kind_)) {
    return (*word_piece)->pad_id();
  }
  return std::get<1>(kind_)->Find("<pad>").value_or(0);
}

}  // namespace quaver
