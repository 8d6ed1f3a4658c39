// Tests of BART: folders that are refused, rows that do not depend on others.
#include "quaver/engine/bart.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/engine/tiny_bart.h"

namespace quaver {
namespace {

using testing::HasSubstr;

std::string Folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  std::string unique = std::string(test->test_suite_name()) + test->name();
  for (char& c : unique) c = c == '/' ? '_' : c;
  std::string folder = testing::TempDir() + "/quaver_bart_" + unique;
  std::filesystem::remove_all(folder);
  return folder;
}

absl::Status LoadStatus(const TinyBart& tiny) {
  const std::string folder = Folder();
  tiny.WriteTo(folder);
  return BartModel::Load(folder, BestKernels()).status();
}

TEST(BartConfigTest, ReadsWhatTheFilesSay) {
  TinyBart tiny;
  tiny.config["scale_embedding"] = true;
  tiny.config["forced_bos_token_id"] = 0;
  tiny.generation = {{"forced_eos_token_id", 2}, {"pad_token_id", 3}};
  const std::string folder = Folder();
  tiny.WriteTo(folder);
  const auto config = ReadBartConfig(folder);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->width, TinyBart::kWidth);
  EXPECT_EQ(config->decoder_inner, TinyBart::kInner + 8);
  EXPECT_TRUE(config->scale_embedding);
  EXPECT_EQ(config->forced_bos_id, 0);
  EXPECT_EQ(config->forced_eos_id, 2);
  EXPECT_EQ(config->pad_id, 3);  // the generation's word is the last
}

TEST(BartConfigTest, RefusesWhatIsNotSupported) {
  for (const auto& [field, value] :
       {std::pair("model_type", TinyBart::Json("t5")),
        std::pair("activation_function", TinyBart::Json("relu")),
        std::pair("tie_word_embeddings", TinyBart::Json(false))}) {
    TinyBart tiny;
    tiny.config[field] = value;
    const absl::Status status = LoadStatus(tiny);
    EXPECT_TRUE(absl::IsUnimplemented(status)) << field << ": " << status;
    EXPECT_THAT(Message(status), HasSubstr(field));
  }
  for (const auto& [field, value] :
       {std::pair("d_model", TinyBart::Json(0)),
        std::pair("encoder_attention_heads", TinyBart::Json(5)),
        std::pair("vocab_size", TinyBart::Json("many")),
        std::pair("eos_token_id", TinyBart::Json(60)),
        std::pair("scale_embedding", TinyBart::Json(1)),
        std::pair("decoder_start_token_id", TinyBart::Json())}) {
    TinyBart tiny;
    tiny.config[field] = value;
    EXPECT_TRUE(absl::IsInvalidArgument(LoadStatus(tiny))) << field;
  }
}

TEST(BartModelTest, RefusesOtherTensors) {
  TinyBart missing;
  missing.shapes.erase("model.decoder.layers.1.encoder_attn.v_proj.bias");
  EXPECT_THAT(Message(LoadStatus(missing)),
              HasSubstr("decoder.layers.1.encoder_attn.v_proj.bias"));
  TinyBart extra;
  extra.shapes["model.decoder.layers.2.fc1.bias"] = {TinyBart::kInner};
  EXPECT_THAT(Message(LoadStatus(extra)), HasSubstr("decoder.layers.2.fc1"));
  TinyBart misshapen;
  misshapen.shapes["model.encoder.layers.0.fc1.weight"] = {TinyBart::kWidth,
                                                           TinyBart::kInner};
  EXPECT_THAT(Message(LoadStatus(misshapen)),
              HasSubstr("config.json asks for [48, 32]"));
  TinyBart positions;
  positions.config["max_position_embeddings"] = TinyBart::kPositions + 1;
  EXPECT_TRUE(absl::IsInvalidArgument(LoadStatus(positions)));
}

TEST(BartModelTest, RefusesWeightsThatAreNoNumbers) {
  const std::string folder = Folder();
  TinyBart().WriteTo(folder);
  const std::string path = folder + "/model.safetensors";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-4, std::ios::end);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  file.write(reinterpret_cast<const char*>(&nan), sizeof(nan));
  file.close();
  const absl::Status status = BartModel::Load(folder, BestKernels()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("no numbers"));
}

class BartTest
    : public testing::TestWithParam<std::tuple<const Kernels*, Precision>> {
 protected:
  void SetUp() override {
    const std::string folder = Folder();
    TinyBart().WriteTo(folder);
    const auto [kernels, precision] = GetParam();
    auto loaded = BartModel::Load(folder, *kernels, {precision, {}});
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    model_ = *std::move(loaded);
  }

  // Logits of every position of a target, `step` rows a call, keys and values
  // in slots from `first_slot` on, backwards where `reverse`.
  std::vector<float> Logits(const std::vector<int32_t>& source,
                            const std::vector<int32_t>& target, size_t step,
                            uint32_t first_slot = 0, bool reverse = false) {
    BartCache cache(*model_, {64, 64});
    BartWorkspace workspace(*model_, 32);
    const uint32_t first_source = first_slot / 2;
    const uint32_t offsets[] = {0, static_cast<uint32_t>(source.size())};
    model_->Encode({source, offsets}, {&first_source, 1}, workspace, cache);
    const size_t V = TinyBart::kVocabulary;
    std::vector<float> logits(target.size() * V);
    const auto slot = [&](size_t position) {
      const size_t place = reverse ? target.size() - 1 - position : position;
      return first_slot + static_cast<uint32_t>(place);
    };
    for (size_t begin = 0; begin < target.size(); begin += step) {
      const size_t end = std::min(target.size(), begin + step);
      std::vector<uint32_t> positions, slots, seen, seen_offsets = {0}, from,
                                                    to;
      for (size_t p = begin; p < end; ++p) {
        positions.push_back(static_cast<uint32_t>(p));
        slots.push_back(slot(p));
        for (size_t q = 0; q <= p; ++q) seen.push_back(slot(q));
        seen_offsets.push_back(static_cast<uint32_t>(seen.size()));
        from.push_back(first_source);
        to.push_back(first_source + offsets[1]);
      }
      model_->Decode({std::span(target).subspan(begin, end - begin), positions,
                      slots, seen, seen_offsets, from, to},
                     workspace, cache,
                     std::span(logits).subspan(begin * V, (end - begin) * V));
    }
    return logits;
  }

  // Of the token after the decoder's start, to the sources [begin, end).
  std::vector<float> FirstLogits(BartCache& cache, uint32_t begin, uint32_t end,
                                 BartWorkspace& workspace) {
    const int32_t token = 2;
    const uint32_t zero = 0, seen_offsets[] = {0, 1};
    std::vector<float> logits(TinyBart::kVocabulary);
    model_->Decode({{&token, 1},
                    {&zero, 1},
                    {&zero, 1},
                    {&zero, 1},
                    seen_offsets,
                    {&begin, 1},
                    {&end, 1}},
                   workspace, cache, logits);
    return logits;
  }

  std::unique_ptr<const BartModel> model_;
};

std::string NameOf(const std::tuple<const Kernels*, Precision>& param) {
  const auto& [kernels, precision] = param;
  return fmt::format("{}_{}", kernels->name, Name(precision));
}

INSTANTIATE_TEST_SUITE_P(
    Isa, BartTest,
    testing::Combine(testing::ValuesIn(AvailableKernels().begin(),
                                       AvailableKernels().end()),
                     testing::ValuesIn(kPrecisions)),
    [](const auto& info) { return NameOf(info.param); });

TEST_P(BartTest, RowsDoNotDependOnCallsOrSlots) {
  const std::vector<int32_t> source = {0, 7, 8, 9, 33, 2};
  const std::vector<int32_t> target = {2, 0, 7, 8, 41, 33, 12, 5, 5, 2};
  const std::vector<float> wanted = Logits(source, target, 1);
  EXPECT_EQ(Logits(source, target, 2), wanted);
  EXPECT_EQ(Logits(source, target, 3), wanted);
  EXPECT_EQ(Logits(source, target, target.size()), wanted);
  EXPECT_EQ(Logits(source, target, target.size(), 40), wanted);
  EXPECT_EQ(Logits(source, target, 4, 11, /*reverse=*/true), wanted);
  const std::vector<float> other = Logits({0, 7, 8, 9, 34, 2}, target, 1);
  EXPECT_NE(other, wanted);  // the source is read
}

TEST_P(BartTest, SourcesAreReadTogetherAsAlone) {
  BartWorkspace workspace(*model_, 32);
  const std::vector<int32_t> ids = {0, 5, 6, 2, 0, 9, 2, 0, 4, 3, 8, 7, 2};
  const std::vector<uint32_t> offsets = {0, 4, 7, 13};
  BartCache together(*model_, {16, 4});
  const std::vector<uint32_t> firsts = {10, 0, 3};
  model_->Encode({ids, offsets}, firsts, workspace, together);
  for (size_t b = 0; b + 1 < offsets.size(); ++b) {
    BartCache alone(*model_, {16, 4});
    const uint32_t beginning = 0;
    model_->Encode({ids, std::span(offsets).subspan(b, 2)}, {&beginning, 1},
                   workspace, alone);
    const uint32_t size = offsets[b + 1] - offsets[b];
    EXPECT_EQ(FirstLogits(together, firsts[b], firsts[b] + size, workspace),
              FirstLogits(alone, 0, size, workspace))
        << b;
  }
}

TEST_P(BartTest, EncodesInTwoHalvesAsInOne) {
  BartWorkspace workspace(*model_, 32);
  const std::vector<int32_t> ids = {0, 5, 6, 2, 0, 9, 2};
  const std::vector<uint32_t> offsets = {0, 4, 7};
  const std::vector<uint32_t> firsts = {0, 4};
  BartCache whole(*model_, {16, 4}), halves(*model_, {16, 4});
  model_->Encode({ids, offsets}, firsts, workspace, whole);
  std::vector<float> states(ids.size() * TinyBart::kWidth);
  model_->EncodeStates({ids, offsets}, workspace, states);
  const auto second = std::span(states).subspan(4 * TinyBart::kWidth);
  model_->PutSource(second, 5, workspace, halves);
  EXPECT_EQ(FirstLogits(halves, 5, 8, workspace),
            FirstLogits(whole, 4, 7, workspace));
}

}  // namespace
}  // namespace quaver
