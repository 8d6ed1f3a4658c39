// Tests of the encoder of pairs and of the loader that makes batches ahead.
#include "quaver/train/loader.h"

#include <set>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/text/bpe_trainer.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

constexpr int64_t kMaxTokens = 24;

// A catalogue, its training pairs and a tokenizer of them.
struct World {
  World() {
    SearchTexts texts;
    for (int i = 0; i < 60; ++i) {
      texts.tracks.push_back({fmt::format("Golden River Number {}", i),
                              fmt::format("The Wandering Band {}", i % 7)});
    }
    maker = *PairMaker::Create(texts, noise,
                               {.clean = 0.3, .clean_part = 0.3, .broad = 0});
    BpeTrainer trainer({.vocab_size = 300});
    for (const TrackName& track : texts.tracks) {
      trainer.Add("golden river number");
      trainer.Add(track.artist);
    }
    tokenizer = *Bpe::FromSpec(*trainer.Train());
  }

  const Noise noise;
  std::unique_ptr<const PairMaker> maker;
  std::unique_ptr<const Bpe> tokenizer;
};

const World& TestWorld() {
  static const World& world = *new World;
  return world;
}

PairEncoder Encoder(bool forced_bos = false, int64_t max_tokens = kMaxTokens) {
  BartShape shape;
  shape.decoder_start_id = 3;
  shape.forced_bos = forced_bos;
  return PairEncoder(*TestWorld().tokenizer, shape, max_tokens);
}

// The batch of these pairs, made without a loader.
Batch Expected(int64_t first, int64_t last, int64_t every) {
  Batch batch;
  for (int64_t i = first; i < last; i += every) {
    Encoder().Add(TestWorld().maker->Make(static_cast<uint64_t>(i)), &batch);
  }
  return batch;
}

void ExpectSame(const Batch& got, const Batch& want) {
  EXPECT_EQ(got.source.ids, want.source.ids);
  EXPECT_EQ(got.source.offsets, want.source.offsets);
  EXPECT_EQ(got.target.ids, want.target.ids);
  EXPECT_EQ(got.target.offsets, want.target.offsets);
  EXPECT_EQ(got.labels, want.labels);
}

TEST(PairEncoderTest, TheModelReadsWhatWasTypedAndSaysWhatWasMeant) {
  const Bpe& tokenizer = *TestWorld().tokenizer;
  Batch batch;
  Encoder().Add({"goldn rivr", "golden river"}, &batch);
  EXPECT_THAT(batch.source.ids,
              ElementsAreArray(tokenizer.Encode("goldn rivr", 100)));
  EXPECT_EQ(batch.source.ids.front(), 0);
  EXPECT_EQ(batch.source.ids.back(), 2);
  // The answer begins with its first word and ends with </s>.
  const std::vector<int32_t> meant = tokenizer.Encode("golden river", 100);
  EXPECT_EQ(batch.labels, std::vector(meant.begin() + 1, meant.end()));
  EXPECT_EQ(tokenizer.Decode(batch.labels), " golden river");
  std::vector<int32_t> read = {3};
  read.insert(read.end(), batch.labels.begin(), batch.labels.end() - 1);
  EXPECT_EQ(batch.target.ids, read);
}

TEST(PairEncoderTest, AForcedStartIsPartOfTheAnswer) {
  Batch batch;
  Encoder(true).Add({"x", "golden river"}, &batch);
  EXPECT_EQ(batch.labels,
            TestWorld().tokenizer->Encode("golden river", kMaxTokens));
  EXPECT_EQ(batch.labels.front(), 0);
  EXPECT_EQ(batch.target.ids[0], 3);
  EXPECT_EQ(batch.target.ids[1], 0);
}

TEST(PairEncoderTest, LongTextsAreCutAndStillEnd) {
  Batch batch;
  const std::string text = "abcdefghijklmnopqrstuvwxyz";
  Encoder(false, 6).Add({text, text}, &batch);
  EXPECT_THAT(batch.source.offsets, ElementsAre(0, 6));
  EXPECT_EQ(batch.source.ids.back(), 2);
  EXPECT_THAT(batch.target.offsets, ElementsAre(0, 5));
  EXPECT_EQ(batch.labels.back(), 2);
}

TEST(PairEncoderTest, DropoutIsOfWhatIsReadOnly) {
  const Bpe& tokenizer = *TestWorld().tokenizer;
  Batch whole, cut;
  const Pair pair = {"goldn river", "golden river"};
  Encoder().Add(pair, &whole);
  Random random(1);
  Encoder().Add(pair, &cut, {1, &random});
  EXPECT_EQ(cut.labels, whole.labels);
  EXPECT_EQ(cut.target.ids, whole.target.ids);
  EXPECT_EQ(cut.source.texts(), 1u);
  EXPECT_EQ(cut.source.ids.size(), 2 + std::string(" goldn river").size());
  EXPECT_EQ(tokenizer.Decode(cut.source.ids), " goldn river");
}

TEST(LoaderTest, AStepHasItsPairsWhateverTheThreads) {
  for (const int threads : {1, 3}) {
    for (const int64_t ahead : {1, 5}) {
      const PairEncoder encoder = Encoder();
      Loader loader(*TestWorld().maker, encoder,
                    {.batch_pairs = 10, .threads = threads, .ahead = ahead});
      for (int64_t step = 1; step <= 12; ++step) {
        ExpectSame(loader.Next(), Expected(10 * (step - 1), 10 * step, 1));
      }
    }
  }
}

TEST(LoaderTest, ARunMayBeginAnywhere) {
  const PairEncoder encoder = Encoder();
  Loader loader(*TestWorld().maker, encoder,
                {.batch_pairs = 10, .first_step = 1'000'001, .threads = 2});
  ExpectSame(loader.Next(), Expected(10'000'000, 10'000'010, 1));
  ExpectSame(loader.Next(), Expected(10'000'010, 10'000'020, 1));
}

TEST(LoaderTest, ProcessesShareAStepsPairs) {
  // 10 pairs for 3: the first takes one more.
  for (int rank = 0; rank < 3; ++rank) {
    const PairEncoder encoder = Encoder();
    Loader loader(*TestWorld().maker, encoder,
                  {.batch_pairs = 10, .rank = rank, .world = 3});
    for (int64_t step = 1; step <= 3; ++step) {
      const Batch batch = loader.Next();
      EXPECT_EQ(batch.source.texts(), rank == 0 ? 4u : 3u);
      ExpectSame(batch, Expected(10 * (step - 1) + rank, 10 * step, 3));
    }
  }
}

std::vector<std::string> Texts(const PackedTexts& packed) {
  std::vector<std::string> texts;
  const std::span<const int32_t> ids(packed.ids);
  for (size_t i = 0; i < packed.texts(); ++i) {
    texts.push_back(TestWorld().tokenizer->Decode(ids.subspan(
        packed.offsets[i], packed.offsets[i + 1] - packed.offsets[i])));
  }
  return texts;
}

TEST(LoaderTest, DropoutChangesOnlyHowSourcesAreCut) {
  const PairEncoder encoder = Encoder(false, 256);  // nothing is cut off
  Loader plain(*TestWorld().maker, encoder, {.batch_pairs = 10});
  Loader dropping(*TestWorld().maker, encoder,
                  {.batch_pairs = 10, .bpe_dropout = 0.3});
  for (int step = 1; step <= 5; ++step) {
    const Batch want = plain.Next(), got = dropping.Next();
    EXPECT_EQ(got.target.ids, want.target.ids);
    EXPECT_EQ(got.target.offsets, want.target.offsets);
    EXPECT_EQ(got.labels, want.labels);
    EXPECT_EQ(Texts(got.source), Texts(want.source));
    EXPECT_GT(got.source.ids.size(), want.source.ids.size());
  }
}

// The same steps whatever the threads, where the run began, and the processes.
TEST(LoaderTest, DropoutIsThePairs) {
  const PairEncoder encoder = Encoder();
  const LoaderConfig config = {.batch_pairs = 10, .bpe_dropout = 0.1};
  std::vector<Batch> want;
  Loader first(*TestWorld().maker, encoder, config);
  for (int step = 1; step <= 12; ++step) want.push_back(first.Next());
  for (const int threads : {2, 5}) {
    LoaderConfig other = config;
    other.threads = threads;
    Loader loader(*TestWorld().maker, encoder, other);
    for (const Batch& batch : want) ExpectSame(loader.Next(), batch);
  }
  LoaderConfig later = config;
  later.first_step = 9;
  Loader resumed(*TestWorld().maker, encoder, later);
  for (int step = 9; step <= 12; ++step) {
    ExpectSame(resumed.Next(), want[step - 1]);
  }
  LoaderConfig half = config;
  half.rank = 1;
  half.world = 2;
  Loader process(*TestWorld().maker, encoder, half);
  const Batch odd = process.Next();
  ASSERT_EQ(odd.source.texts(), 5u);
  const auto text = [](const PackedTexts& packed, size_t i) {
    return std::vector(packed.ids.begin() + packed.offsets[i],
                       packed.ids.begin() + packed.offsets[i + 1]);
  };
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(text(odd.source, i), text(want[0].source, 2 * i + 1));
  }
}

// A pair that comes again is cut anew, in the same batch and in others.
TEST(LoaderTest, DropoutIsDrawnAnewForEveryPair) {
  const std::string text = "golden river wandering band";
  const auto maker = *PairMaker::FromPairs({{text, text}});
  const PairEncoder encoder = Encoder(false, 256);
  for (const int64_t batch_pairs : {1, 50}) {
    Loader loader(*maker, encoder,
                  {.batch_pairs = batch_pairs, .bpe_dropout = 0.1});
    std::set<std::vector<int32_t>> seen;
    for (int64_t pairs = 0; pairs < 50; pairs += batch_pairs) {
      const PackedTexts source = loader.Next().source;
      for (size_t i = 0; i < source.texts(); ++i) {
        seen.emplace(source.ids.begin() + source.offsets[i],
                     source.ids.begin() + source.offsets[i + 1]);
      }
    }
    EXPECT_GT(seen.size(), 5u) << batch_pairs;
  }
}

TEST(LoaderTest, EndsWithBatchesThatNobodyTook) {
  const PairEncoder encoder = Encoder();
  for (int taken = 0; taken < 3; ++taken) {
    Loader loader(*TestWorld().maker, encoder,
                  {.batch_pairs = 5, .threads = 3, .ahead = 2});
    for (int i = 0; i < taken; ++i) loader.Next();
  }
}

}  // namespace
}  // namespace quaver
