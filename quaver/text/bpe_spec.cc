// See bpe_spec.h.
#include "quaver/text/bpe_spec.h"

#include <array>
#include <set>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "quaver/base/json.h"
#include "quaver/text/internal/utf8.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using Json = nlohmann::json;

// As many tokens as a model may have (train/shape.h). A tokenizer has a table
// of all ids: one large id must not make it large.
constexpr int32_t kMaxId = 1 << 20;
constexpr std::string_view kNamed[] = {"<s>", "<pad>", "</s>", "<unk>",
                                       "<mask>"};

// Printable Latin-1 stands for itself, the rest from U+0100 on in order.
struct ByteTable {
  std::array<std::string, 256> characters;
  std::unordered_map<char32_t, uint8_t> bytes;

  ByteTable() {
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
      const char32_t c = printable ? static_cast<char32_t>(byte) : next++;
      AppendUtf8(c, &characters[byte]);
      bytes.emplace(c, static_cast<uint8_t>(byte));
    }
  }
};

const ByteTable& Bytes() {
  static const ByteTable& table = *new ByteTable;
  return table;
}

absl::Status NotSupported(std::string_view field, std::string_view expected) {
  return absl::UnimplementedError(
      fmt::format("{} is not supported: it has to be {}", field, expected));
}

// The type that an object of the file names; empty for null.
std::string TypeOf(const Json& object) {
  return object.is_object() ? object.value("type", "") : "";
}

absl::StatusOr<int32_t> IdOf(const BpeSpec& spec, const std::string& token) {
  const auto at = spec.vocab.find(token);
  if (at != spec.vocab.end()) return at->second;
  return absl::InvalidArgumentError(
      fmt::format("the token '{}' is not in the vocabulary", token));
}

absl::StatusOr<int32_t> ReadId(const std::string& token, const Json& id) {
  if (id.is_number_integer() && id >= 0 && id < kMaxId) {
    return id.get<int32_t>();
  }
  return absl::InvalidArgumentError(
      fmt::format("the token '{}' has the id {}", token, id.dump()));
}

absl::Status ReadVocab(const Json& vocab, BpeSpec* spec) {
  if (!vocab.is_object() || vocab.empty()) {
    return absl::InvalidArgumentError("the vocabulary holds no tokens");
  }
  for (const auto& [token, id] : vocab.items()) {
    ASSIGN_OR_RETURN(spec->vocab[token], ReadId(token, id));
  }
  return absl::OkStatus();
}

// What the parts of a file cannot see alone.
absl::Status CheckIds(const BpeSpec& spec) {
  std::set<int32_t> ids;
  for (const auto& [token, id] : spec.vocab) {
    if (ids.insert(id).second) continue;
    return absl::InvalidArgumentError(
        fmt::format("two tokens have the id {}: one is '{}'", id, token));
  }
  std::vector<int32_t> around = spec.before;
  around.insert(around.end(), spec.after.begin(), spec.after.end());
  if (around.size() > kMaxIdsAround) {
    return NotSupported("post_processor",
                        fmt::format("at most {} tokens", kMaxIdsAround));
  }
  for (const int32_t id : around) {
    if (ids.contains(id)) continue;
    return absl::InvalidArgumentError(
        fmt::format("post_processor puts the id {}, which no token has", id));
  }
  return absl::OkStatus();
}

absl::Status AddMerge(std::string left, std::string right, BpeSpec* spec) {
  // merges.txt could not hold it; no token of bytes has one.
  if ((left + right).find_first_of(" \r\n") != std::string::npos) {
    return absl::InvalidArgumentError(fmt::format(
        "merge {} holds a space or line end", spec->merges.size() + 1));
  }
  for (const std::string& token : {left, right, left + right}) {
    RETURN_IF_ERROR(Annotate(IdOf(*spec, token).status(),
                             fmt::format("merge {}", spec->merges.size() + 1)));
  }
  spec->merges.emplace_back(std::move(left), std::move(right));
  return absl::OkStatus();
}

absl::Status AddMergeLine(std::string_view line, BpeSpec* spec) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) {
    return absl::InvalidArgumentError(
        fmt::format("merge {} is not two tokens", spec->merges.size() + 1));
  }
  return AddMerge(std::string(line.substr(0, space)),
                  std::string(line.substr(space + 1)), spec);
}

absl::Status ReadModel(const Json& model, BpeSpec* spec) {
  if (TypeOf(model) != "BPE") return NotSupported("model.type", "BPE");
  for (const char* field :
       {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json value = model.value(field, Json());
    if (!value.is_null() && value != "") {
      return NotSupported(fmt::format("model.{}", field), "null");
    }
  }
  for (const char* field : {"byte_fallback", "ignore_merges"}) {
    if (model.value(field, false)) {
      return NotSupported(fmt::format("model.{}", field), "false");
    }
  }
  RETURN_IF_ERROR(ReadVocab(model.at("vocab"), spec));
  for (const Json& merge : model.at("merges")) {
    if (merge.is_string()) {
      RETURN_IF_ERROR(AddMergeLine(merge.get<std::string>(), spec));
    } else {
      RETURN_IF_ERROR(AddMerge(merge.at(0), merge.at(1), spec));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadPreTokenizer(const Json& pre, BpeSpec* spec) {
  if (TypeOf(pre) != "ByteLevel") {
    return NotSupported("pre_tokenizer.type", "ByteLevel");
  }
  if (!pre.value("use_regex", true)) {
    return NotSupported("pre_tokenizer.use_regex", "true");
  }
  spec->add_prefix_space = pre.value("add_prefix_space", false);
  return absl::OkStatus();
}

absl::Status ReadAddedTokens(const Json& tokens, BpeSpec* spec) {
  for (const Json& token : tokens) {
    // Without a normaliser `normalized` says nothing.
    if (token.value("single_word", false)) {
      return NotSupported("added_tokens.single_word", "false");
    }
    BpeSpec::AddedToken added = {.text = token.at("content"),
                                 .lstrip = token.value("lstrip", false),
                                 .rstrip = token.value("rstrip", false),
                                 .special = token.value("special", false)};
    if (added.text.empty()) {
      return absl::InvalidArgumentError("an added token is empty");
    }
    ASSIGN_OR_RETURN(added.id, ReadId(added.text, token.at("id")));
    const auto [known, is_new] = spec->vocab.emplace(added.text, added.id);
    if (known->second != added.id) {
      return absl::InvalidArgumentError(
          fmt::format("the token '{}' has the ids {} and {}", added.text,
                      known->second, added.id));
    }
    spec->added_tokens.push_back(std::move(added));
  }
  return absl::OkStatus();
}

absl::Status ReadTemplate(const Json& processor, BpeSpec* spec) {
  bool text_seen = false;
  for (const Json& part : processor.at("single")) {
    if (part.contains("Sequence")) {
      text_seen = true;
      continue;
    }
    const std::string name = part.at("SpecialToken").at("id");
    const Json& ids = processor.at("special_tokens").at(name).at("ids");
    for (const Json& id : ids) {
      ASSIGN_OR_RETURN(const int32_t read, ReadId(name, id));
      (text_seen ? spec->after : spec->before).push_back(read);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadPostProcessor(const Json& processor, BpeSpec* spec) {
  const std::string type = TypeOf(processor);
  if (type.empty() || type == "ByteLevel") return absl::OkStatus();
  if (type == "TemplateProcessing") return ReadTemplate(processor, spec);
  if (type == "RobertaProcessing") {
    spec->before.resize(1);
    spec->after.resize(1);
    ASSIGN_OR_RETURN(spec->before[0], ReadId("cls", processor.at("cls").at(1)));
    ASSIGN_OR_RETURN(spec->after[0], ReadId("sep", processor.at("sep").at(1)));
    return absl::OkStatus();
  }
  return NotSupported("post_processor.type",
                      "ByteLevel, RobertaProcessing or TemplateProcessing");
}

absl::Status ReadAll(const Json& file, BpeSpec* spec) {
  if (!file.is_object()) {
    return absl::InvalidArgumentError("the file holds no JSON object");
  }
  if (!file.value("normalizer", Json()).is_null()) {
    return NotSupported("normalizer", "null");
  }
  RETURN_IF_ERROR(ReadModel(file.at("model"), spec));
  RETURN_IF_ERROR(ReadPreTokenizer(file.value("pre_tokenizer", Json()), spec));
  RETURN_IF_ERROR(
      ReadAddedTokens(file.value("added_tokens", Json::array()), spec));
  return ReadPostProcessor(file.value("post_processor", Json()), spec);
}

// The library throws for what is not there or of another type.
template <typename Read>
absl::StatusOr<BpeSpec> Reading(const Read& read) {
  BpeSpec spec;
  try {
    RETURN_IF_ERROR(read(&spec));
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
  RETURN_IF_ERROR(CheckIds(spec));
  return spec;
}

Json TemplateJson(const BpeSpec& spec) {
  std::map<int32_t, std::string> names;
  for (const auto& [token, id] : spec.vocab) names[id] = token;
  Json single = Json::array(), tokens = Json::object();
  const auto add = [&](int32_t id) {
    const std::string& name = names[id];
    single.push_back({{"SpecialToken", {{"id", name}, {"type_id", 0}}}});
    tokens[name] = {{"id", name}, {"ids", {id}}, {"tokens", {name}}};
  };
  for (const int32_t id : spec.before) add(id);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  for (const int32_t id : spec.after) add(id);
  Json pair = single;
  pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 0}}}});
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", tokens}};
}

}  // namespace

std::string_view ByteCharacter(uint8_t byte) {
  return Bytes().characters[byte];
}

std::string TokenBytes(std::string_view token) {
  std::string bytes;
  for (size_t i = 0; i < token.size();) {
    const size_t begin = i;
    const char32_t c = NextCodePoint(token, &i);
    const auto at = Bytes().bytes.find(c);
    if (at == Bytes().bytes.end()) {
      bytes += token.substr(begin, i - begin);
    } else {
      bytes += static_cast<char>(at->second);
    }
  }
  return bytes;
}

absl::StatusOr<BpeSpec> ParseBpeJson(std::string_view tokenizer_json) {
  return Reading(
      [&](BpeSpec* spec) { return ReadAll(ParseJson(tokenizer_json), spec); });
}

absl::StatusOr<BpeSpec> ParseBpeVocabulary(std::string_view vocab_json,
                                           std::string_view merges_txt) {
  return Reading([&](BpeSpec* spec) -> absl::Status {
    RETURN_IF_ERROR(ReadVocab(ParseJson(vocab_json), spec));
    for (size_t begin = 0; begin < merges_txt.size();) {
      const size_t end =
          std::min(merges_txt.find('\n', begin), merges_txt.size());
      std::string_view line = merges_txt.substr(begin, end - begin);
      begin = end + 1;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty() || line.starts_with("#version")) continue;
      RETURN_IF_ERROR(AddMergeLine(line, spec));
    }
    for (const std::string_view name : kNamed) {
      const auto at = spec->vocab.find(std::string(name));
      if (at == spec->vocab.end()) continue;
      spec->added_tokens.push_back(
          {.text = at->first, .id = at->second, .lstrip = name == "<mask>"});
    }
    const auto begin = IdOf(*spec, "<s>"), end = IdOf(*spec, "</s>");
    if (begin.ok() && end.ok()) {
      spec->before = {*begin};
      spec->after = {*end};
    }
    return absl::OkStatus();
  });
}

std::string ToTokenizerJson(const BpeSpec& spec) {
  Json added = Json::array();
  for (const auto& token : spec.added_tokens) {
    added.push_back({{"id", token.id},
                     {"content", token.text},
                     {"single_word", false},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", false},
                     {"special", token.special}});
  }
  Json merges = Json::array();
  for (const auto& [left, right] : spec.merges) {
    merges.push_back(left + " " + right);
  }
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", spec.add_prefix_space},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  const bool wraps = !spec.before.empty() || !spec.after.empty();
  const Json model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"vocab", spec.vocab},
                      {"merges", merges}};
  const Json file = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", byte_level},
                     {"post_processor", wraps ? TemplateJson(spec) : Json()},
                     {"decoder", byte_level},
                     {"model", model}};
  return file.dump(1) + "\n";
}

std::string ToVocabJson(const BpeSpec& spec) { return Json(spec.vocab).dump(); }

std::string ToMergesText(const BpeSpec& spec) {
  std::string text = "#version: 0.2\n";
  for (const auto& [left, right] : spec.merges) {
    text += left + " " + right + "\n";
  }
  return text;
}

}  // namespace quaver
