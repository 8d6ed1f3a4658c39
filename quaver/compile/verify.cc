// See verify.h.
#include "quaver/compile/verify.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "quaver/compile/text_reader.h"
#include "quaver/engine/plan.h"
#include "quaver/engine/product_replay.h"

namespace quaver {
namespace {

// Sums over rows of wanted and found values.
struct Difference {
  double errors = 0, values = 0;  // squares
  double least_cosine = 1;
  size_t rows = 0;

  void Add(std::span<const float> wanted, std::span<const float> found,
           size_t width) {
    for (size_t begin = 0; begin < wanted.size(); begin += width) {
      AddRow(wanted.subspan(begin, width), found.subspan(begin, width));
    }
  }
  double RelativeRms() const {
    return values > 0 ? std::sqrt(errors / values) : std::sqrt(errors);
  }

 private:
  void AddRow(std::span<const float> wanted, std::span<const float> found) {
    double ww = 0, wf = 0, ff = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      const double w = wanted[i], f = found[i];
      errors += (w - f) * (w - f);
      ww += w * w;
      wf += w * f;
      ff += f * f;
    }
    values += ww;
    ++rows;
    if (ww > 0) {
      const double cosine = ff > 0 ? wf / std::sqrt(ww * ff) : 0;
      least_cosine = std::min(least_cosine, cosine);
    }
  }
};

absl::Status CheckTexts(const TokenLists& texts, size_t max_tokens) {
  if (texts.empty()) {
    return absl::InvalidArgumentError("there are no texts to verify with");
  }
  return CheckLengths(texts, max_tokens, "verify with");
}

absl::Status CheckProducts(const std::vector<Product>& a,
                           const std::vector<Product>& b) {
  const auto same = [](const Product& one, const Product& other) {
    return one.name == other.name && one.N == other.N && one.K == other.K;
  };
  if (std::equal(a.begin(), a.end(), b.begin(), b.end(), same)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "the model does not have the products of the fp32 one");
}

template <typename Model, typename Reader>
class Verifier {
 public:
  Verifier(const Model& fp32, const Model& model, size_t max_tokens)
      : products_(Products(model)),
        fp32_reader_(fp32, max_tokens),
        reader_(model, max_tokens),
        fp32_replay_(fp32, max_tokens),
        replay_(model, max_tokens),
        own_(products_.size()),
        whole_(products_.size()) {
    for (size_t i = 0; i < products_.size(); ++i)
      places_[products_[i].name] = i;
  }

  void Add(const std::vector<int32_t>& ids) {
    std::map<std::string, std::vector<float>> wanted;
    fp32_reader_.Read(
        ids, [&](const std::string& name, const float* x, size_t M) {
          const size_t place = places_.at(name), N = products_[place].N;
          wanted[name] = Outputs(fp32_replay_, name, x, M);
          own_[place].Add(wanted[name], Outputs(replay_, name, x, M), N);
        });
    reader_.Read(ids, [&](const std::string& name, const float* x, size_t M) {
      const size_t place = places_.at(name), N = products_[place].N;
      whole_[place].Add(wanted.at(name), Outputs(replay_, name, x, M), N);
    });
  }

  std::vector<ProductError> Errors() const {
    std::vector<ProductError> errors;
    for (size_t i = 0; i < products_.size(); ++i) {
      errors.push_back({products_[i].name, products_[i].precision, own_[i].rows,
                        own_[i].RelativeRms(), own_[i].least_cosine,
                        whole_[i].RelativeRms()});
    }
    return errors;
  }

 private:
  std::vector<float> Outputs(ProductReplay& replay, const std::string& name,
                             const float* x, size_t M) const {
    std::vector<float> y(M * products_[places_.at(name)].N);
    replay.Run(name, x, M, y.data());
    return y;
  }

  std::vector<Product> products_;
  std::map<std::string, size_t> places_;
  Reader fp32_reader_, reader_;
  ProductReplay fp32_replay_, replay_;
  std::vector<Difference> own_, whole_;
};

template <typename Reader, typename Model>
absl::StatusOr<std::vector<ProductError>> Verify(const Model& fp32,
                                                 const Model& model,
                                                 const TokenLists& texts) {
  RETURN_IF_ERROR(CheckTexts(texts, Reader::MaxTokens(model)));
  RETURN_IF_ERROR(CheckProducts(Products(fp32), Products(model)));
  size_t max_tokens = 0;
  for (const auto& ids : texts) max_tokens = std::max(max_tokens, ids.size());
  Verifier<Model, Reader> verifier(fp32, model, max_tokens);
  for (const auto& ids : texts) verifier.Add(ids);
  return verifier.Errors();
}

}  // namespace

absl::StatusOr<std::vector<ProductError>> VerifyEncoder(
    const BertModel& fp32, const BertModel& model, const TokenLists& texts) {
  return Verify<EncoderReader>(fp32, model, texts);
}

absl::StatusOr<std::vector<ProductError>> VerifyCorrector(
    const BartModel& fp32, const BartModel& model, const TokenLists& texts) {
  return Verify<CorrectorReader>(fp32, model, texts);
}

}  // namespace quaver
