// See parameters.h.
#include "quaver/train/torch/parameters.h"

#include <functional>
#include <numeric>

#include <ATen/Parallel.h>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"
#include "quaver/train/fused.h"

namespace quaver {
namespace {

constexpr double kDeviation = 0.02;
constexpr int64_t kGrain = 1 << 16;

int64_t Product(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1},
                         std::multiplies<>());
}

using AddEntry = std::function<void(const std::string&, std::vector<int64_t>)>;

// The names and shapes of one layer; matrices first, then what does not decay.
void AddAttention(const std::string& name, int64_t width, bool matrices,
                  const AddEntry& add) {
  for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
    const std::string prefix = name + "." + part;
    if (matrices) {
      add(prefix + ".weight", {width, width});
    } else {
      add(prefix + ".bias", {width});
    }
  }
}

void AddFfn(const std::string& name, int64_t width, int64_t ffn, bool matrices,
            const AddEntry& add) {
  if (matrices) {
    add(name + ".fc1.weight", {ffn, width});
    add(name + ".fc2.weight", {width, ffn});
  } else {
    add(name + ".fc1.bias", {ffn});
    add(name + ".fc2.bias", {width});
  }
}

void AddNormOf(const std::string& name, int64_t width, const AddEntry& add) {
  add(name + ".weight", {width});
  add(name + ".bias", {width});
}

void AddAll(const BartShape& shape, bool matrices, const AddEntry& add) {
  const int64_t w = shape.width;
  if (matrices) {
    add("shared.weight", {shape.vocab_size, w});
    add("encoder.embed_positions.weight", {shape.max_positions + 2, w});
    add("decoder.embed_positions.weight", {shape.max_positions + 2, w});
  } else {
    AddNormOf("encoder.layernorm_embedding", w, add);
    AddNormOf("decoder.layernorm_embedding", w, add);
  }
  for (int64_t i = 0; i < shape.encoder_layers; ++i) {
    const std::string layer = fmt::format("encoder.layers.{}", i);
    AddAttention(layer + ".self_attn", w, matrices, add);
    AddFfn(layer, w, shape.encoder_ffn, matrices, add);
    if (matrices) continue;
    AddNormOf(layer + ".self_attn_layer_norm", w, add);
    AddNormOf(layer + ".final_layer_norm", w, add);
  }
  for (int64_t i = 0; i < shape.decoder_layers; ++i) {
    const std::string layer = fmt::format("decoder.layers.{}", i);
    AddAttention(layer + ".self_attn", w, matrices, add);
    AddAttention(layer + ".encoder_attn", w, matrices, add);
    AddFfn(layer, w, shape.decoder_ffn, matrices, add);
    if (matrices) continue;
    AddNormOf(layer + ".self_attn_layer_norm", w, add);
    AddNormOf(layer + ".encoder_attn_layer_norm", w, add);
    AddNormOf(layer + ".final_layer_norm", w, add);
  }
}

bool IsNorm(const std::string& name) {
  return name.find("norm") != std::string::npos;
}

}  // namespace

Parameters::Parameters(const BartShape& shape, at::ScalarType compute,
                       at::Device device, bool with_moments)
    : shape_(shape), compute_(compute) {
  const AddEntry add = [this](const std::string& name,
                              std::vector<int64_t> entry_shape) {
    Add(name, std::move(entry_shape));
  };
  AddAll(shape, /*matrices=*/true, add);
  decayed_ = size_;
  const Entry& last_table =
      entries_[by_name_["decoder.embed_positions.weight"]];
  layers_ = last_table.begin + Product(last_table.shape);
  AddAll(shape, /*matrices=*/false, add);
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  master_ = at::zeros({size_}, options);
  gradient_ = at::zeros({size_}, options);
  if (compute != at::kFloat) {
    shadow_ = at::zeros({size_}, options.dtype(compute));
  }
  if (with_moments) {
    moment1_ = at::zeros({size_}, options);
    moment2_ = at::zeros({size_}, options);
  }
  MakeViews();
}

Parameters Parameters::WithOwnGradient() const {
  Parameters other = *this;
  other.gradient_ = at::zeros_like(gradient_);
  other.MakeViews();
  return other;
}

void Parameters::MakeViews() {
  weights_.clear();
  for (const Entry& entry : entries_) {
    weights_.push_back(View(entry.begin, entry.shape));
  }
}

void Parameters::Add(const std::string& name, std::vector<int64_t> shape) {
  by_name_[name] = entries_.size();
  const int64_t elements = Product(shape);
  entries_.push_back({name, std::move(shape), size_});
  size_ += elements;
}

Weight Parameters::View(int64_t begin, std::vector<int64_t> shape) const {
  const int64_t end = begin + Product(shape);
  const auto view = [&](const at::Tensor& flat) {
    return flat.slice(0, begin, end).view(shape);
  };
  return {view(shadow_.defined() ? shadow_ : master_), view(master_),
          view(gradient_), begin, end};
}

const Weight& Parameters::Get(const std::string& name) const {
  const auto at = by_name_.find(name);
  QUAVER_CHECK(at != by_name_.end());
  return weights_[at->second];
}

Weight Parameters::Joined(const std::string& name, int count) const {
  const auto at = by_name_.find(name);
  QUAVER_CHECK(at != by_name_.end());
  const Entry& first = entries_[at->second];
  std::vector<int64_t> shape = first.shape;
  for (int i = 1; i < count; ++i) {
    const Entry& next = entries_.at(at->second + i);
    QUAVER_CHECK(next.shape.size() == shape.size());
    shape[0] += next.shape[0];
  }
  return View(first.begin, shape);
}

void Parameters::Initialise(uint64_t seed) {
  at::Tensor host = at::zeros({size_}, at::kFloat);
  auto* values = host.data_ptr<float>();
  for (const Entry& entry : entries_) {
    const int64_t end = entry.begin + Product(entry.shape);
    if (entry.shape.size() == 1) {
      const bool is_gain = IsNorm(entry.name) && entry.name.ends_with("weight");
      std::fill(values + entry.begin, values + end, is_gain ? 1.0f : 0.0f);
      continue;
    }
    at::parallel_for(entry.begin, end, kGrain, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        Random random(seed, static_cast<uint64_t>(i));
        values[i] = static_cast<float>(kDeviation * random.Normal());
      }
    });
  }
  float* padding = values + Get("shared.weight").begin +
                   int64_t{shape_.pad_id} * shape_.width;
  std::fill(padding, padding + shape_.width, 0.0f);
  master_.copy_(host);
  SyncShadow();
}

void Parameters::SyncShadow() {
  if (shadow_.defined()) shadow_.copy_(master_);
}

}  // namespace quaver
