// Tests of the encoder over tiny random models: against a plain computation in
// doubles, and sequences that do not depend on each other.
#include "quaver/engine/bert.h"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "quaver/engine/bench.h"
#include "quaver/engine/tiny_bert.h"

namespace quaver {
namespace {

using Rows = std::vector<std::vector<double>>;  // [T, D]
using Pooling = BertConfig::Pooling;

// BERT as its paper has it, one number after the other.
class PlainBert {
 public:
  std::vector<double> Encode(const std::vector<int32_t>& ids, Pooling pooling,
                             bool normalize) const {
    Rows rows = Embed(ids);
    for (int i = 0; i < TinyBert::kLayers; ++i) rows = RunLayer(rows, i);
    std::vector<double> pooled = rows[0];
    for (size_t t = 1; t < rows.size(); ++t) {
      for (size_t i = 0; i < pooled.size(); ++i) {
        if (pooling == Pooling::kMean) pooled[i] += rows[t][i];
        if (pooling == Pooling::kMax) {
          pooled[i] = std::max(pooled[i], rows[t][i]);
        }
      }
    }
    double squares = 0;
    for (double& value : pooled) {
      if (pooling == Pooling::kMean) value /= static_cast<double>(rows.size());
      squares += value * value;
    }
    for (double& value : pooled) {
      if (normalize) value /= std::sqrt(squares);
    }
    return pooled;
  }

 private:
  static std::vector<float> Weights(const std::string& name, size_t count) {
    return TinyBert::Values(name, count);
  }

  static Rows Linear(const Rows& x, const std::string& name, size_t N) {
    const size_t K = x[0].size();
    const auto weight = Weights(name + ".weight", N * K);
    const auto bias = Weights(name + ".bias", N);
    Rows y(x.size(), std::vector<double>(N));
    for (size_t t = 0; t < x.size(); ++t) {
      for (size_t n = 0; n < N; ++n) {
        y[t][n] = bias[n];
        for (size_t k = 0; k < K; ++k) y[t][n] += x[t][k] * weight[n * K + k];
      }
    }
    return y;
  }

  static Rows AddAndNorm(Rows x, const Rows& added, const std::string& name) {
    const size_t D = x[0].size();
    const auto weight = Weights(name + ".weight", D);
    const auto bias = Weights(name + ".bias", D);
    for (size_t t = 0; t < x.size(); ++t) {
      double mean = 0;
      double variance = 0;
      for (size_t i = 0; i < D; ++i) mean += x[t][i] += added[t][i];
      mean /= static_cast<double>(D);
      for (const double value : x[t]) variance += std::pow(value - mean, 2);
      const double deviation =
          std::sqrt(variance / static_cast<double>(D) + 1e-12);
      for (size_t i = 0; i < D; ++i) {
        x[t][i] = (x[t][i] - mean) / deviation * weight[i] + bias[i];
      }
    }
    return x;
  }

  static Rows Embed(const std::vector<int32_t>& ids) {
    constexpr size_t D = TinyBert::kWidth;
    const auto words =
        Weights("embeddings.word_embeddings.weight", TinyBert::kVocabulary * D);
    const auto positions = Weights("embeddings.position_embeddings.weight",
                                   TinyBert::kPositions * D);
    const auto types = Weights("embeddings.token_type_embeddings.weight",
                               TinyBert::kTypes * D);
    Rows rows(ids.size(), std::vector<double>(D));
    Rows sums = rows;
    for (size_t t = 0; t < ids.size(); ++t) {
      const auto id = static_cast<size_t>(ids[t]);
      for (size_t i = 0; i < D; ++i) {
        sums[t][i] =
            double{words[id * D + i]} + positions[t * D + i] + types[i];
      }
    }
    return AddAndNorm(rows, sums, "embeddings.LayerNorm");
  }

  static Rows Attention(const Rows& q, const Rows& k, const Rows& v) {
    constexpr size_t kHeadWidth = TinyBert::kWidth / TinyBert::kHeads;
    const size_t T = q.size();
    Rows out(T, std::vector<double>(TinyBert::kWidth));
    for (size_t head = 0; head < TinyBert::kWidth; head += kHeadWidth) {
      for (size_t row = 0; row < T; ++row) {
        std::vector<double> powers(T);
        double sum = 0;
        for (size_t t = 0; t < T; ++t) {
          double score = 0;
          for (size_t i = head; i < head + kHeadWidth; ++i) {
            score += q[row][i] * k[t][i];
          }
          sum += powers[t] = std::exp(score / std::sqrt(kHeadWidth));
        }
        for (size_t t = 0; t < T; ++t) {
          for (size_t i = head; i < head + kHeadWidth; ++i) {
            out[row][i] += powers[t] / sum * v[t][i];
          }
        }
      }
    }
    return out;
  }

  static Rows RunLayer(const Rows& x, int index) {
    constexpr size_t D = TinyBert::kWidth;
    const std::string name = "encoder.layer." + std::to_string(index) + ".";
    const std::string self = name + "attention.self.";
    const Rows context =
        Attention(Linear(x, self + "query", D), Linear(x, self + "key", D),
                  Linear(x, self + "value", D));
    const Rows attended =
        AddAndNorm(x, Linear(context, name + "attention.output.dense", D),
                   name + "attention.output.LayerNorm");
    Rows inner =
        Linear(attended, name + "intermediate.dense", TinyBert::kInner);
    for (auto& row : inner) {
      for (double& value : row) {
        value *= 0.5 * (1 + std::erf(value / std::sqrt(2.0)));
      }
    }
    return AddAndNorm(attended, Linear(inner, name + "output.dense", D),
                      name + "output.LayerNorm");
  }
};

std::vector<int32_t> RandomIds(size_t T, uint64_t seed) {
  Random random(seed);
  std::vector<int32_t> ids(T);
  for (int32_t& id : ids) {
    id = static_cast<int32_t>(random.Below(TinyBert::kVocabulary));
  }
  return ids;
}

struct Sequences {
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets{0};

  void Add(const std::vector<int32_t>& more) {
    ids.insert(ids.end(), more.begin(), more.end());
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
};

std::vector<float> Encode(const BertModel& model, const Sequences& sequences) {
  BertWorkspace workspace(model, sequences.ids.size());
  std::vector<float> embeddings(
      (sequences.offsets.size() - 1) *
      static_cast<size_t>(model.config().hidden_size));
  model.Encode({sequences.ids, sequences.offsets}, workspace, embeddings);
  return embeddings;
}

std::unique_ptr<const BertModel> MustLoad(const std::string& folder,
                                          const Kernels& kernels,
                                          const Precisions& precisions = {}) {
  auto model = BertModel::Load(folder, kernels, precisions);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : nullptr;
}

class BertTest : public testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& kernels() const { return *GetParam(); }

  // Weights of size 1 make scores of some dozens and so a model that amplifies
  // errors; 1e-4 is far below any difference a mistake makes.
  void ExpectPlainResult(const TinyBert& tiny, Pooling pooling,
                         bool normalize) {
    const std::string folder = TestFolder();
    tiny.WriteTo(folder);
    const auto model = MustLoad(folder, kernels());
    ASSERT_NE(model, nullptr);
    for (const size_t T : {1, 2, 7, 17, 40}) {
      Sequences sequences;
      sequences.Add(RandomIds(T, T));
      const auto found = Encode(*model, sequences);
      const auto wanted = PlainBert().Encode(sequences.ids, pooling, normalize);
      for (size_t i = 0; i < wanted.size(); ++i) {
        ASSERT_NEAR(found[i], wanted[i], 1e-4) << "T " << T << ", " << i;
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Isa, BertTest,
                         testing::ValuesIn(AvailableKernels().begin(),
                                           AvailableKernels().end()),
                         [](const auto& info) {
                           return std::string(info.param->name);
                         });

TEST_P(BertTest, EqualsThePlainComputation) {
  ExpectPlainResult(TinyBert(), Pooling::kMean, false);
}

TEST_P(BertTest, PoolsTheMeanAndNormalizes) {
  TinyBert tiny;
  tiny.Wrap("pooling_mode_mean_tokens", /*normalize=*/true);
  ExpectPlainResult(tiny, Pooling::kMean, true);
}

TEST_P(BertTest, PoolsTheFirstToken) {
  TinyBert tiny;
  tiny.Wrap("pooling_mode_cls_token", /*normalize=*/false);
  ExpectPlainResult(tiny, Pooling::kCls, false);
}

TEST_P(BertTest, PoolsTheMaximum) {
  TinyBert tiny;
  tiny.Wrap("pooling_mode_max_tokens", /*normalize=*/true);
  ExpectPlainResult(tiny, Pooling::kMax, true);
}

TEST_P(BertTest, ReadsShardsPrefixesAndBfloat16) {
  TinyBert tiny;
  tiny.sharded = true;
  tiny.prefix = "bert.";
  tiny.type = DataType::kBF16;
  ExpectPlainResult(tiny, Pooling::kMean, false);
}

TEST_P(BertTest, SequencesDoNotInfluenceEachOther) {
  const std::string folder = TestFolder();
  TinyBert().WriteTo(folder);
  constexpr size_t D = TinyBert::kWidth;
  Sequences all;  // some 1,300 tokens: several blocks
  for (uint64_t seed = 0; seed < 64; ++seed) {
    all.Add(RandomIds(1 + Random(seed).Below(TinyBert::kPositions), seed));
  }
  for (const Precision precision : kPrecisions) {
    const auto model = MustLoad(folder, kernels(), {precision, {}});
    ASSERT_NE(model, nullptr);
    const auto together = Encode(*model, all);
    for (size_t b = 0; b + 1 < all.offsets.size(); ++b) {
      Sequences alone;
      alone.Add({all.ids.begin() + all.offsets[b],
                 all.ids.begin() + all.offsets[b + 1]});
      const auto found = Encode(*model, alone);
      ASSERT_EQ(
          std::memcmp(found.data(), together.data() + b * D, D * sizeof(float)),
          0)
          << Name(precision) << ", sequence " << b;
    }
  }
}

TEST_P(BertTest, EncodesAPartOfABatch) {
  const std::string folder = TestFolder();
  TinyBert().WriteTo(folder);
  const auto model = MustLoad(folder, kernels());
  ASSERT_NE(model, nullptr);
  Sequences all;
  for (uint64_t seed = 1; seed <= 5; ++seed) all.Add(RandomIds(seed, seed));
  const auto whole = Encode(*model, all);
  BertWorkspace workspace(*model, 5);
  std::vector<float> part(2 * TinyBert::kWidth);
  const std::span offsets(all.offsets);
  model->Encode({all.ids, offsets.subspan(1, 3)}, workspace, part);
  EXPECT_EQ(std::memcmp(part.data(), whole.data() + TinyBert::kWidth,
                        part.size() * sizeof(float)),
            0);
}

TEST(BenchTest, TimesEveryThread) {
  const std::string folder = TestFolder();
  TinyBert().WriteTo(folder);
  const auto model = MustLoad(folder, BestKernels());
  ASSERT_NE(model, nullptr);
  const auto result = BenchEncoder(
      *model,
      {.num_threads = 2, .batch = 3, .tokens = 5, .num_iterations = 20});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->p50_ms, 0);
  EXPECT_GE(result->p90_ms, result->p50_ms);
  EXPECT_GT(result->sentences_per_s, 0);
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(BenchEncoder(*model, {.tokens = 41}).status().code(), kInvalid);
  EXPECT_EQ(BenchEncoder(*model, {.batch = 0}).status().code(), kInvalid);
}

TEST(BenchTest, EncodesSentencesThatAreGiven) {
  const std::string folder = TestFolder();
  TinyBert().WriteTo(folder);
  const auto model = MustLoad(folder, BestKernels());
  ASSERT_NE(model, nullptr);
  EncoderBenchConfig config = {.batch = 2, .num_iterations = 1};
  config.sentences = {{1, 2, 3}, {4}, {5, 6}};
  const auto result = BenchEncoder(*model, config);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->tokens, 2);
  config.sentences = {{1, TinyBert::kVocabulary}};
  const auto refused = BenchEncoder(*model, config).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("id 50"), std::string::npos) << refused;
  for (const size_t length : {size_t{0}, size_t{41}}) {
    config.sentences = {std::vector<int32_t>(length, 1)};
    EXPECT_FALSE(BenchEncoder(*model, config).ok()) << length;
  }
}

}  // namespace
}  // namespace quaver
