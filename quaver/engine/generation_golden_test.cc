// Test against transformers: what generate() of two small random BARTs answers
// to 500 sources, from the file that tools/golden_generation.py writes.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/engine/beam_search.h"
#include "quaver/engine/generation.h"
#include "quaver/engine/tiny_bart.h"

namespace quaver {
namespace {

using nlohmann::json;
constexpr char kFolder[] = QUAVER_SOURCE_DIR "/build/golden-generation";
constexpr char kGolden[] = QUAVER_SOURCE_DIR "/tests/golden/generation.json";

// Models whose every weight is a counter's hash: "plain", and "forced", with
// scaled embeddings and a first and last token that are given.
TinyBart ModelNamed(const std::string& name) {
  TinyBart tiny;
  if (name == "plain") return tiny;
  tiny.seed = 2;
  tiny.config["scale_embedding"] = true;
  tiny.config["forced_bos_token_id"] = 0;
  tiny.config["forced_eos_token_id"] = 2;
  return tiny;
}

std::vector<int32_t> Source(uint64_t index) {
  Random random(5, index);
  std::vector<int32_t> source = {0};
  const uint64_t length = 1 + random.Below(20);
  for (uint64_t i = 0; i < length; ++i) {
    source.push_back(static_cast<int32_t>(3 + random.Below(57)));
  }
  source.push_back(2);
  return source;
}

GeneratorLimits Limits() {
  GeneratorLimits limits;
  limits.max_requests = 1;
  limits.max_source_tokens = TinyBart::kPositions;
  limits.max_target_tokens = TinyBart::kPositions;
  return limits;
}

// What the file's "cases" say in generate()'s words.
BeamOptions ReadOptions(const json& from) {
  BeamOptions options;
  options.num_beams = from.value("num_beams", 1);
  options.num_answers = from.value("num_return_sequences", 1);
  options.length_penalty = from.value("length_penalty", 1.0f);
  const json stop = from.value("early_stopping", json(false));
  options.stop = stop == "never" ? BeamOptions::Stop::kNever
                 : stop == true  ? BeamOptions::Stop::kAll
                                 : BeamOptions::Stop::kLikely;
  options.generation.max_new_tokens = from["max_new_tokens"];
  options.generation.min_new_tokens = from.value("min_new_tokens", 0);
  options.generation.no_repeat_ngram_size =
      from.value("no_repeat_ngram_size", 0);
  return options;
}

std::vector<Generated> Answers(const BartModel& model,
                               const std::vector<int32_t>& source,
                               const BeamOptions& options) {
  if (options.num_beams > 1) {
    BeamSearch search(model, options.num_beams, Limits());
    auto answers = search.Run(source, options);
    QUAVER_CHECK(answers.ok());
    return *std::move(answers);
  }
  Generator generator(model, Limits());
  QUAVER_CHECK(generator
                   .Add({.source = source,
                         .drafts = {source},
                         .options = options.generation})
                   .ok());
  std::vector<Generated> done;
  while (!generator.idle()) generator.Step(&done);
  return done;
}

// What tools/golden_generation.py reads.
void WriteInputs() {
  json sources;
  for (uint64_t i = 0; i < 500; ++i) sources.push_back(Source(i));
  for (const char* name : {"plain", "forced"}) {
    ModelNamed(name).WriteTo(std::string(kFolder) + "/" + name);
  }
  TinyBart::Must(WriteFileAtomically(std::string(kFolder) + "/sources.json",
                                     sources.dump()));
}

// Returns how many answers there are.
int CompareAnswers(const std::vector<Generated>& found, const json& wanted) {
  EXPECT_EQ(found.size(), wanted.size());
  for (size_t n = 0; n < std::min(found.size(), wanted.size()); ++n) {
    EXPECT_EQ(json(found[n].tokens), wanted[n]["tokens"]) << "answer " << n;
    if (wanted[n].contains("score")) {
      EXPECT_NEAR(found[n].score, wanted[n]["score"].get<double>(), 1e-3);
    }
  }
  return static_cast<int>(found.size());
}

TEST(GenerationGoldenTest, EqualsTransformers) {
  if (std::getenv("QUAVER_WRITE_GOLDEN") != nullptr) WriteInputs();
  const auto text = ReadFile(kGolden);
  ASSERT_TRUE(text.ok()) << text.status();
  const json golden = json::parse(*text);
  for (const Kernels* kernels : AvailableKernels()) {
    const bool best = kernels == &BestKernels();
    int answers = 0;
    for (const json& test : golden["cases"]) {
      SCOPED_TRACE(
          fmt::format("{}, {}", kernels->name, test["options"].dump()));
      const std::string folder =
          testing::TempDir() + "/quaver_golden_generation";
      ModelNamed(test["model"]).WriteTo(folder);
      const auto model = BartModel::Load(folder, *kernels);
      ASSERT_TRUE(model.ok()) << model.status();
      const BeamOptions options = ReadOptions(test["options"]);
      // Other kernels than the best give the same logits to 1e-4 as well; a
      // tenth of the sources shows that they generate.
      for (uint64_t i = 0; i < test["answers"].size(); i += best ? 1 : 10) {
        answers += CompareAnswers(Answers(**model, Source(i), options),
                                  test["answers"][i]);
      }
    }
    EXPECT_GE(answers, best ? 1'500 : 150);
  }
}

// Logits of the first sources' answers, read in one pass.
TEST(GenerationGoldenTest, LogitsEqualTransformers) {
  const auto text = ReadFile(kGolden);
  ASSERT_TRUE(text.ok()) << text.status();
  const json golden = json::parse(*text);
  for (const json& test : golden["logits"]) {
    const std::string folder = testing::TempDir() + "/quaver_golden_logits";
    ModelNamed(test["model"]).WriteTo(folder);
    for (const Kernels* kernels : AvailableKernels()) {
      const auto model = BartModel::Load(folder, *kernels);
      ASSERT_TRUE(model.ok()) << model.status();
      const std::vector<int32_t> source = Source(test["source"]);
      const std::vector<int32_t> target = test["target"];
      BartCache cache(**model, {source.size(), target.size()});
      BartWorkspace workspace(**model, std::max(source.size(), target.size()));
      const uint32_t offsets[] = {0, static_cast<uint32_t>(source.size())};
      const uint32_t first = 0;
      (*model)->Encode({source, offsets}, {&first, 1}, workspace, cache);
      std::vector<uint32_t> positions, seen, seen_offsets = {0};
      for (uint32_t p = 0; p < target.size(); ++p) {
        positions.push_back(p);
        for (uint32_t q = 0; q <= p; ++q) seen.push_back(q);
        seen_offsets.push_back(static_cast<uint32_t>(seen.size()));
      }
      const std::vector<uint32_t> begins(target.size(), 0);
      const std::vector<uint32_t> ends(target.size(), offsets[1]);
      std::vector<float> logits(target.size() * TinyBart::kVocabulary);
      (*model)->Decode(
          {target, positions, positions, seen, seen_offsets, begins, ends},
          workspace, cache, logits);
      const std::vector<float> wanted = test["values"];
      ASSERT_EQ(wanted.size(), logits.size());
      for (size_t i = 0; i < logits.size(); ++i) {
        ASSERT_NEAR(logits[i], wanted[i], 1e-4) << kernels->name << ", " << i;
      }
    }
  }
}

}  // namespace
}  // namespace quaver
