// What a plan holds of a model: one list for whoever writes it or reads it.
//
// A visitor has
//   Table(name, size, floats)           floats: a pointer to `size` of them
//   Weight(name, N, K, linear)
//   Normalisation(name, D, norm)
#pragma once

#include <string>

#include "quaver/engine/internal/bart_weights.h"
#include "quaver/engine/internal/bert_weights.h"
#include "quaver/engine/internal/encoder_layer.h"

namespace quaver {

template <typename Layer, typename Visitor>
void VisitLayer(const std::string& name, size_t D, size_t inner, Layer& layer,
                Visitor& visit) {
  visit.Weight(name + ".qkv", 3 * D, D, layer.qkv);
  visit.Weight(name + ".attention_output", D, D, layer.attention_output);
  visit.Normalisation(name + ".attention_norm", D, layer.attention_norm);
  visit.Weight(name + ".up", inner, D, layer.up);
  visit.Weight(name + ".down", D, inner, layer.down);
  visit.Normalisation(name + ".output_norm", D, layer.output_norm);
}

// REQUIRES: `layers` has as many as the configuration says.
template <typename Weights, typename Visitor>
void VisitBert(Weights& weights, Visitor& visit) {
  const BertConfig& config = weights.config;
  const auto D = static_cast<size_t>(config.hidden_size);
  const auto inner = static_cast<size_t>(config.intermediate_size);
  visit.Table("words", static_cast<size_t>(config.vocab_size) * D,
              weights.words);
  visit.Table("positions", static_cast<size_t>(config.max_positions) * D,
              weights.positions);
  visit.Table("type", D, weights.type);
  visit.Normalisation("embedding_norm", D, weights.embedding_norm);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    VisitLayer(fmt::format("layers.{}", i), D, inner, weights.layers[i], visit);
  }
}

// REQUIRES: as VisitBert.
template <typename Weights, typename Visitor>
void VisitBart(Weights& weights, Visitor& visit) {
  const BartConfig& config = weights.config;
  const auto D = static_cast<size_t>(config.width);
  const auto V = static_cast<size_t>(config.vocab_size);
  const size_t positions = static_cast<size_t>(config.max_positions) * D;
  visit.Table("words", V * D, weights.words);
  visit.Table("encoder.positions", positions,
              weights.encoder_embedding.positions);
  visit.Table("decoder.positions", positions,
              weights.decoder_embedding.positions);
  visit.Normalisation("encoder.embedding_norm", D,
                      weights.encoder_embedding.norm);
  visit.Normalisation("decoder.embedding_norm", D,
                      weights.decoder_embedding.norm);
  for (size_t i = 0; i < weights.encoder.size(); ++i) {
    VisitLayer(fmt::format("encoder.{}", i), D,
               static_cast<size_t>(config.encoder_inner), weights.encoder[i],
               visit);
  }
  for (size_t i = 0; i < weights.decoder.size(); ++i) {
    auto& layer = weights.decoder[i];
    const std::string name = fmt::format("decoder.{}", i);
    VisitLayer(name, D, static_cast<size_t>(config.decoder_inner), layer.own,
               visit);
    visit.Weight(name + ".cross_query", D, D, layer.cross_query);
    visit.Weight(name + ".cross_kv", 2 * D, D, layer.cross_kv);
    visit.Weight(name + ".cross_output", D, D, layer.cross_output);
    visit.Normalisation(name + ".cross_norm", D, layer.cross_norm);
  }
  visit.Weight("output", V, D, weights.output);
}

}  // namespace quaver
