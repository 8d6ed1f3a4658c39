// See output.h.
#include "quaver/train/output.h"

#include <nlohmann/json.hpp>

#include "quaver/base/file.h"

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

std::string TokenizerConfig(const Bpe& tokenizer, const BartShape& shape) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"model_max_length", shape.max_positions},
                 {"add_prefix_space", tokenizer.spec().add_prefix_space},
                 {"clean_up_tokenization_spaces", false}};
  for (const auto& [field, token] :
       {std::pair("bos_token", "<s>"), std::pair("eos_token", "</s>"),
        std::pair("pad_token", "<pad>"), std::pair("unk_token", "<unk>"),
        std::pair("mask_token", "<mask>")}) {
    if (tokenizer.Find(token)) config[field] = token;
  }
  return config.dump(2) + "\n";
}

Json FiguresJson(const Figures& figures) {
  Json sets = Json::object();
  for (const auto& [name, share] : figures.exact_fix) sets[name] = share;
  return {{"exact_fix", sets},
          {"false_corrections", figures.false_corrections()},
          {"loss", figures.loss}};
}

std::string ModelCard(const BartShape& shape, const Origin& origin) {
  std::string rows;
  for (const auto& [name, share] : origin.figures.exact_fix) {
    rows += fmt::format("| {} | {:.1f} % |\n", name, 100 * share);
  }
  return fmt::format(
      R"(---
library_name: transformers
pipeline_tag: text2text-generation
---
# A spelling corrector for searches in a music and podcast catalogue

BART with {} + {} layers of width {} ({:.1f} M weights, {} tokens), trained by
`quaver-train corrector` on names and descriptions of a catalogue, misspelled on
the fly. It reads one query in comparable form (lower case, no accents, no
punctuation) and answers with the query as it was meant: mended, not completed.

{} updates, {:.1f} M pairs, {:.1f} hours. Exact answers on held-out queries:

| set | exact |
|---|---|
{}
`training.json` has the recipe; `quaver-train corrector --config` takes it.
It knows the names of its catalogue best, and English best of all languages; what
it says about other names has to be checked against an index.
)",
      shape.encoder_layers, shape.decoder_layers, shape.width,
      static_cast<double>(NumParameters(shape)) / 1e6, shape.vocab_size,
      origin.steps, static_cast<double>(origin.pairs) / 1e6, origin.hours,
      rows);
}

}  // namespace

absl::Status WriteModelFiles(const std::string& folder, const BartShape& shape,
                             const Bpe& tokenizer) {
  RETURN_IF_ERROR(MakeFolders(folder));
  const BpeSpec& spec = tokenizer.spec();
  for (const auto& [name, content] :
       {std::pair("config.json", ToConfigJson(shape)),
        std::pair("generation_config.json", ToGenerationConfigJson(shape)),
        std::pair("tokenizer.json", ToTokenizerJson(spec)),
        std::pair("vocab.json", ToVocabJson(spec)),
        std::pair("merges.txt", ToMergesText(spec)),
        std::pair("tokenizer_config.json",
                  TokenizerConfig(tokenizer, shape))}) {
    RETURN_IF_ERROR(WriteFileAtomically(folder + "/" + name, content));
  }
  return absl::OkStatus();
}

absl::Status WriteOrigin(const std::string& folder, const BartShape& shape,
                         const Origin& origin) {
  const Json json = {
      {"recipe", Json::parse(origin.recipe_json)},
      {"from", origin.from},
      {"data", {{"hash", origin.data_hash}, {"texts", origin.num_texts}}},
      {"weights", NumParameters(shape)},
      {"steps", origin.steps},
      {"pairs", origin.pairs},
      {"hours", origin.hours},
      {"tokens_per_s", origin.tokens_per_s},
      {"text_form", "comparable"},
      {"figures", FiguresJson(origin.figures)}};
  RETURN_IF_ERROR(
      WriteFileAtomically(folder + "/training.json", json.dump(2) + "\n"));
  return WriteFileAtomically(folder + "/README.md", ModelCard(shape, origin));
}

}  // namespace quaver
