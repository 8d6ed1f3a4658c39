// Tokens that a tokenizer finds in the raw text, before anything else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace quaver {

// Token has a field `text`, not empty. The tokens must outlive it and stay.
template <typename Token>
class AddedTokens {
 public:
  explicit AddedTokens(const std::vector<Token>& tokens) : tokens_(tokens) {
    for (const Token& token : tokens) {
      begins_[static_cast<uint8_t>(token.text[0])] = true;
    }
  }

  // The longest one at text[at], or null.
  const Token* Find(std::string_view text, size_t at) const {
    if (!begins_[static_cast<uint8_t>(text[at])]) return nullptr;
    const Token* longest = nullptr;
    for (const Token& token : tokens_) {
      if (text.substr(at).starts_with(token.text) &&
          (longest == nullptr || token.text.size() > longest->text.size())) {
        longest = &token;
      }
    }
    return longest;
  }

 private:
  const std::vector<Token>& tokens_;
  std::array<bool, 256> begins_{};  // first bytes
};

}  // namespace quaver
