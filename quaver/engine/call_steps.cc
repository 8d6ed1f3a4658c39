// See call_steps.h.
#include "quaver/engine/call_steps.h"

#include <utility>

#include "quaver/base/check.h"

namespace quaver {
namespace {

using Kind = CallStep::Kind;

// Steps in the order of their coming.
class StepList {
 public:
  StepList(std::vector<Product> products, size_t M, size_t D)
      : products_(std::move(products)), M_(M), D_(D) {}

  // Of M rows of two tables, and `shared` further floats.
  void Embedding(const std::string& name, size_t shared) {
    Add(name, Kind::kEmbedding, D_, D_).bytes =
        (2 * M_ * D_ + shared) * sizeof(float);
  }

  // `next`, a product that reads the rows, gets its codes in the same pass.
  void Norm(const std::string& name, const std::string& next) {
    CallStep& step = Add(name, Kind::kNorm, D_, D_);
    step.bytes = 2 * D_ * sizeof(float);
    if (next.empty() || Find(next).precision != Precision::kInt8) return;
    step.precision = Precision::kInt8;
    step.range = Find(next).range;
    rounded_ = next;
  }

  void Multiply(const std::string& name) {
    const Product& product = Find(name);
    if (product.precision != Precision::kFp32 && name != rounded_) {
      CallStep& step =
          Add(name + ".input", Kind::kRounding, product.K, product.K);
      step.precision = product.precision;
      step.range = product.range;
    }
    CallStep& step = Add(name, Kind::kProduct, product.N, product.K);
    step.precision = product.precision;
    step.tactics = product.tactics;
    step.bytes = product.bytes;
    step.operations = 2 * Cells(M_, product.N, product.K);
  }

  // Of M rows to M rows: scores and sums.
  void Attention(const std::string& name, Kind kind, int num_heads) {
    const size_t K = kind == Kind::kAttention ? 3 * D_ : D_;
    CallStep& step = Add(name, kind, D_, K);
    step.num_heads = static_cast<size_t>(num_heads);
    step.operations = 4 * Cells(M_, M_, D_);
  }

  // A norm of embeddings and `count` layers.
  void EncoderLayers(const std::string& norm, const std::string& name,
                     int count, int num_heads) {
    const auto layer = [&](int i) { return fmt::format("{}.{}", name, i); };
    Norm(norm, count > 0 ? layer(0) + ".qkv" : "");
    for (int i = 0; i < count; ++i) {
      Multiply(layer(i) + ".qkv");
      Attention(layer(i) + ".attention", Kind::kAttention, num_heads);
      Multiply(layer(i) + ".attention_output");
      Norm(layer(i) + ".attention_norm", layer(i) + ".up");
      FeedForward(layer(i), i + 1 < count ? layer(i + 1) + ".qkv" : "");
    }
  }

  void DecoderLayer(const std::string& name, int num_heads,
                    const std::string& next) {
    Multiply(name + ".qkv");
    Attention(name + ".attention", Kind::kRowAttention, num_heads);
    Multiply(name + ".attention_output");
    Norm(name + ".attention_norm", name + ".cross_query");
    Multiply(name + ".cross_query");
    Attention(name + ".cross_attention", Kind::kRowAttention, num_heads);
    Multiply(name + ".cross_output");
    Norm(name + ".cross_norm", name + ".up");
    FeedForward(name, next);
  }

  CallStep& Add(std::string name, Kind kind, size_t N, size_t K) {
    steps_.push_back(
        {.name = std::move(name), .kind = kind, .M = M_, .N = N, .K = K});
    return steps_.back();
  }

  std::vector<CallStep> Take() && { return std::move(steps_); }

 private:
  void FeedForward(const std::string& name, const std::string& next) {
    Multiply(name + ".up");
    Multiply(name + ".down");
    Norm(name + ".output_norm", next);
  }

  const Product& Find(const std::string& name) const {
    for (const Product& product : products_) {
      if (product.name == name) return product;
    }
    QUAVER_CHECK(false);
    return products_.front();
  }

  static double Cells(size_t a, size_t b, size_t c) {
    return static_cast<double>(a) * static_cast<double>(b) *
           static_cast<double>(c);
  }

  const std::vector<Product> products_;
  const size_t M_, D_;
  std::vector<CallStep> steps_;
  std::string rounded_;  // the product whose codes the last norm made
};

}  // namespace

std::string_view Name(CallStep::Kind kind) {
  switch (kind) {
    case Kind::kEmbedding:
      return "embedding";
    case Kind::kNorm:
      return "norm";
    case Kind::kRounding:
      return "rounding";
    case Kind::kProduct:
      return "product";
    case Kind::kAttention:
      return "attention";
    case Kind::kRowAttention:
      return "row attention";
    case Kind::kSummary:
      return "summary";
    case Kind::kPooling:
      return "pooling";
  }
  return "";
}

std::vector<CallStep> CallSteps(const BertModel& model, size_t M) {
  const BertConfig& config = model.config();
  QUAVER_CHECK(M >= 1 && M <= static_cast<size_t>(config.max_positions));
  const auto D = static_cast<size_t>(config.hidden_size);
  StepList list(Products(model), M, D);
  list.Embedding("embedding", /*shared=*/D);  // the type's row
  list.EncoderLayers("embedding_norm", "layers", config.num_layers,
                     config.num_heads);
  list.Add("pooling", Kind::kPooling, D, D);
  return std::move(list).Take();
}

std::vector<CallStep> CallSteps(const BartModel& model, size_t M) {
  const BartConfig& config = model.config();
  QUAVER_CHECK(M >= 1 && M <= static_cast<size_t>(config.max_positions));
  StepList list(Products(model), M, static_cast<size_t>(config.width));
  list.Embedding("encoder.embedding", /*shared=*/0);
  list.EncoderLayers("encoder.embedding_norm", "encoder", config.encoder_layers,
                     config.encoder_heads);
  for (int i = 0; i < config.decoder_layers; ++i) {
    list.Multiply(fmt::format("decoder.{}.cross_kv", i));
  }
  list.Embedding("decoder.embedding", /*shared=*/0);
  const auto first_of = [&](int i) {
    return i < config.decoder_layers ? fmt::format("decoder.{}.qkv", i)
                                     : std::string("output");
  };
  list.Norm("decoder.embedding_norm", first_of(0));
  for (int i = 0; i < config.decoder_layers; ++i) {
    list.DecoderLayer(fmt::format("decoder.{}", i), config.decoder_heads,
                      first_of(i + 1));
  }
  list.Multiply("output");
  const auto V = static_cast<size_t>(config.vocab_size);
  list.Add("output_summary", Kind::kSummary, /*N=*/1, V);
  return std::move(list).Take();
}

std::string KernelOf(const Kernels& kernels, const CallStep& step) {
  switch (step.kind) {
    case Kind::kNorm:
      return step.precision == Precision::kInt8 ? "dense.layer_norm_codes"
                                                : "dense.layer_norm";
    case Kind::kRounding:
      if (step.precision == Precision::kBf16) return "bf16.round";
      return step.range.dynamic() ? "int8.quantise" : "int8.quantise_with";
    case Kind::kProduct:
      return TacticNames(kernels, step.precision)[step.tactics.For(step.M)];
    case Kind::kAttention:
      return "dense.attention";
    case Kind::kRowAttention:
      return "dense.attend_row";
    case Kind::kSummary:
      return "dense.summarise";
    default:
      return "";
  }
}

}  // namespace quaver
