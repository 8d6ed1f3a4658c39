// Reads tokenizer files; refuses by name what WordPiece does not do.
#include "quaver/text/internal/wordpiece_spec.h"

#include <algorithm>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "quaver/base/json.h"

namespace quaver {
namespace {

using Json = nlohmann::json;
using Vocabulary = std::unordered_map<std::string, int32_t>;

// Bounds on what a file can make us allocate: 50 times BERT's vocabulary.
constexpr int64_t kMaxId = int64_t{1} << 24;
constexpr size_t kMaxPieceBytes = (size_t{1} << 24) - 2;

absl::Status Damaged(const std::string& field, const std::string& expected) {
  return absl::InvalidArgumentError(fmt::format(
      "{}: expected {}; fetch the model's file again", field, expected));
}

absl::Status NotSupported(const std::string& field, const Json& value,
                          const std::string& supported) {
  std::string shown = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (shown.size() > 80) shown = shown.substr(0, 80) + "...";
  return absl::UnimplementedError(
      fmt::format("{} is {}: only {} is supported; use a BERT tokenizer", field,
                  shown, supported));
}

// The member, or null where it or `parent`'s being an object is missing.
const Json& Member(const Json& parent, const char* name) {
  static const Json null;
  if (!parent.is_object()) return null;
  const auto found = parent.find(name);
  return found == parent.end() ? null : *found;
}

absl::Status ReadBool(const Json& parent, const char* name,
                      const std::string& path, bool* value) {
  const Json& member = Member(parent, name);
  if (member.is_null()) return absl::OkStatus();
  if (!member.is_boolean()) {
    return Damaged(fmt::format("{}.{}", path, name), "true, false or null");
  }
  *value = member.get<bool>();
  return absl::OkStatus();
}

absl::StatusOr<int32_t> ReadId(const Json& value, const std::string& path) {
  if (!value.is_number_integer() || value < 0 || value >= kMaxId) {
    return Damaged(path, fmt::format("an id from 0 to {}", kMaxId - 1));
  }
  return value.get<int32_t>();
}

absl::Status RequireType(const Json& root, const char* name,
                         const char* supported) {
  const Json& type = Member(Member(root, name), "type");
  if (type == supported) return absl::OkStatus();
  return NotSupported(fmt::format("{}.type", name), type, supported);
}

absl::Status ReadNormalizer(const Json& root, BertNormalizerConfig* config) {
  RETURN_IF_ERROR(RequireType(root, "normalizer", "BertNormalizer"));
  const Json& json = Member(root, "normalizer");
  const std::string path = "normalizer";
  RETURN_IF_ERROR(ReadBool(json, "clean_text", path, &config->clean_text));
  RETURN_IF_ERROR(ReadBool(json, "handle_chinese_chars", path,
                           &config->handle_chinese_chars));
  RETURN_IF_ERROR(ReadBool(json, "lowercase", path, &config->lowercase));
  config->strip_accents = config->lowercase;
  return ReadBool(json, "strip_accents", path, &config->strip_accents);
}

absl::Status ReadModel(const Json& root, Vocabulary* vocabulary,
                       WordPieceSpec* spec) {
  RETURN_IF_ERROR(RequireType(root, "model", "WordPiece"));
  const Json& model = Member(root, "model");
  const Json& prefix = Member(model, "continuing_subword_prefix");
  if (prefix != "##") {
    return NotSupported("model.continuing_subword_prefix", prefix, "\"##\"");
  }
  const Json& max_chars = Member(model, "max_input_chars_per_word");
  ASSIGN_OR_RETURN(const int32_t max_word_chars,
                   ReadId(max_chars, "model.max_input_chars_per_word"));
  spec->max_word_chars = static_cast<size_t>(max_word_chars);
  const Json& vocab = Member(model, "vocab");
  if (!vocab.is_object()) return Damaged("model.vocab", "an object");
  for (const auto& [token, value] : vocab.items()) {
    ASSIGN_OR_RETURN(const int32_t id, ReadId(value, "model.vocab: a value"));
    vocabulary->emplace(token, id);
  }
  const Json& unk = Member(model, "unk_token");
  if (!unk.is_string()) return Damaged("model.unk_token", "a string");
  const auto found = vocabulary->find(unk.get<std::string>());
  if (found == vocabulary->end()) {
    return Damaged("model.unk_token", "a token of model.vocab");
  }
  spec->unk_id = found->second;
  return absl::OkStatus();
}

// Tokens that take part in word boundaries, or are searched for after
// normalisation, are not BERT's.
absl::Status ReadAddedToken(const Json& json, const std::string& path,
                            const Vocabulary& vocabulary, WordPieceSpec* spec) {
  for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized"}) {
    bool set = false;
    RETURN_IF_ERROR(ReadBool(json, flag, path, &set));
    if (set) {
      return NotSupported(fmt::format("{}.{}", path, flag), true, "false");
    }
  }
  const Json& content = Member(json, "content");
  if (!content.is_string()) return Damaged(path + ".content", "a string");
  WordPieceSpec::AddedToken token;
  token.text = content.get<std::string>();
  ASSIGN_OR_RETURN(token.id, ReadId(Member(json, "id"), path + ".id"));
  if (const auto found = vocabulary.find(token.text);
      found != vocabulary.end()) {
    token.id = found->second;
  }
  if (!token.text.empty()) spec->added_tokens.push_back(std::move(token));
  return absl::OkStatus();
}

absl::Status ReadAddedTokens(const Json& root, const Vocabulary& vocabulary,
                             WordPieceSpec* spec) {
  const Json& tokens = Member(root, "added_tokens");
  if (tokens.is_null()) return absl::OkStatus();
  if (!tokens.is_array()) return Damaged("added_tokens", "a list");
  for (size_t i = 0; i < tokens.size(); ++i) {
    RETURN_IF_ERROR(ReadAddedToken(
        tokens[i], fmt::format("added_tokens[{}]", i), vocabulary, spec));
  }
  return absl::OkStatus();
}

// The id of TemplateProcessing's special token `name`.
absl::StatusOr<int32_t> TemplateId(const Json& processor, const Json& name) {
  if (name.is_string()) {
    const Json& token = Member(Member(processor, "special_tokens"),
                               name.get<std::string>().c_str());
    const Json& ids = Member(token, "ids");
    if (ids.is_array() && ids.size() == 1) {
      return ReadId(ids[0], "post_processor.special_tokens: ids");
    }
  }
  return Damaged("post_processor.special_tokens",
                 "one id for each token of post_processor.single");
}

absl::Status ReadTemplate(const Json& processor, WordPieceSpec* spec) {
  const Json& single = Member(processor, "single");
  const bool three = single.is_array() && single.size() == 3;
  if (!three || Member(Member(single[1], "Sequence"), "id") != "A") {
    return NotSupported("post_processor.single", single, "[CLS] A [SEP]");
  }
  const Json& first = Member(Member(single[0], "SpecialToken"), "id");
  const Json& last = Member(Member(single[2], "SpecialToken"), "id");
  ASSIGN_OR_RETURN(spec->cls_id, TemplateId(processor, first));
  ASSIGN_OR_RETURN(spec->sep_id, TemplateId(processor, last));
  return absl::OkStatus();
}

// "cls": ["[CLS]", 101]
absl::StatusOr<int32_t> PairId(const Json& processor, const char* name) {
  const Json& pair = Member(processor, name);
  const std::string path = fmt::format("post_processor.{}", name);
  if (!pair.is_array() || pair.size() != 2) {
    return Damaged(path, "a token and its id");
  }
  return ReadId(pair[1], path);
}

absl::Status ReadPostProcessor(const Json& root, WordPieceSpec* spec) {
  const Json& processor = Member(root, "post_processor");
  if (Member(processor, "type") == "BertProcessing") {
    ASSIGN_OR_RETURN(spec->cls_id, PairId(processor, "cls"));
    ASSIGN_OR_RETURN(spec->sep_id, PairId(processor, "sep"));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(RequireType(root, "post_processor", "TemplateProcessing"));
  return ReadTemplate(processor, spec);
}

// Fills pieces and vocab_size.
absl::Status AddPieces(const Vocabulary& vocabulary, WordPieceSpec* spec) {
  size_t bytes = 0;
  int32_t greatest = std::max({spec->cls_id, spec->sep_id, spec->unk_id});
  for (const auto& [token, id] : vocabulary) {
    greatest = std::max(greatest, id);
    const bool continues = token.starts_with("##");
    std::string text = continues ? token.substr(2) : token;
    bytes += text.size();
    if (text.empty()) continue;
    spec->pieces.push_back({std::move(text), continues, id});
    // As the first piece of a word, "##" is looked up as it is written; it is
    // punctuation, so no word of two characters begins with it.
  }
  for (const auto& token : spec->added_tokens) {
    greatest = std::max(greatest, token.id);
  }
  if (bytes > kMaxPieceBytes) {
    return Damaged("vocabulary",
                   fmt::format("at most {} bytes of tokens", kMaxPieceBytes));
  }
  spec->vocab_size = greatest + 1;
  return absl::OkStatus();
}

Vocabulary ReadVocabularyLines(std::string_view text) {
  Vocabulary vocabulary;
  int32_t id = 0;
  for (size_t begin = 0; begin < text.size(); ++id) {
    size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) end = text.size();
    std::string token(text.substr(begin, end - begin));
    while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) {
      token.pop_back();
    }
    vocabulary[token] = id;
    begin = end + 1;
  }
  vocabulary.erase("");
  return vocabulary;
}

absl::Status ReadConfig(const Json& config, BertNormalizerConfig* normalizer) {
  const std::string path = "tokenizer_config.json";
  const Json& kind = Member(config, "tokenizer_class");
  if (!kind.is_null() && kind != "BertTokenizer" &&
      kind != "BertTokenizerFast") {
    return NotSupported(path + ".tokenizer_class", kind, "BertTokenizer");
  }
  bool basic = true;
  RETURN_IF_ERROR(ReadBool(config, "do_basic_tokenize", path, &basic));
  if (!basic) return NotSupported(path + ".do_basic_tokenize", false, "true");
  RETURN_IF_ERROR(
      ReadBool(config, "do_lower_case", path, &normalizer->lowercase));
  RETURN_IF_ERROR(ReadBool(config, "tokenize_chinese_chars", path,
                           &normalizer->handle_chinese_chars));
  normalizer->strip_accents = normalizer->lowercase;
  return ReadBool(config, "strip_accents", path, &normalizer->strip_accents);
}

absl::StatusOr<Json> ParseObject(std::string_view text,
                                 const std::string& what) {
  Json json = ParseJson(text);
  if (!json.is_object()) return Damaged(what, "a JSON object");
  return json;
}

}  // namespace

absl::StatusOr<WordPieceSpec> ParseTokenizerJson(std::string_view json) {
  ASSIGN_OR_RETURN(const Json root, ParseObject(json, "the file"));
  WordPieceSpec spec;
  Vocabulary vocabulary;
  RETURN_IF_ERROR(ReadModel(root, &vocabulary, &spec));
  RETURN_IF_ERROR(ReadNormalizer(root, &spec.normalizer));
  RETURN_IF_ERROR(RequireType(root, "pre_tokenizer", "BertPreTokenizer"));
  RETURN_IF_ERROR(ReadPostProcessor(root, &spec));
  RETURN_IF_ERROR(ReadAddedTokens(root, vocabulary, &spec));
  const Json& direction = Member(Member(root, "truncation"), "direction");
  if (!direction.is_null() && direction != "Right") {
    return NotSupported("truncation.direction", direction, "\"Right\"");
  }
  RETURN_IF_ERROR(AddPieces(vocabulary, &spec));
  return spec;
}

absl::StatusOr<WordPieceSpec> ParseVocabulary(std::string_view vocab_txt,
                                              std::string_view config_json) {
  ASSIGN_OR_RETURN(const Json config,
                   ParseObject(config_json, "tokenizer_config.json"));
  WordPieceSpec spec;
  RETURN_IF_ERROR(ReadConfig(config, &spec.normalizer));
  const Vocabulary vocabulary = ReadVocabularyLines(vocab_txt);
  const std::pair<const char*, int32_t*> special[] = {{"[UNK]", &spec.unk_id},
                                                      {"[CLS]", &spec.cls_id},
                                                      {"[SEP]", &spec.sep_id},
                                                      {"[PAD]", nullptr},
                                                      {"[MASK]", nullptr}};
  for (const auto& [token, id] : special) {
    const auto found = vocabulary.find(token);
    if (found != vocabulary.end()) {
      if (id != nullptr) *id = found->second;
      spec.added_tokens.push_back({token, found->second});
    } else if (id != nullptr) {
      return Damaged("vocab.txt", fmt::format("a line {}", token));
    }
  }
  RETURN_IF_ERROR(AddPieces(vocabulary, &spec));
  return spec;
}

}  // namespace quaver
