// See answers.h.
#include "quaver/api/answers.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

std::string_view FieldText(const Hit& hit, std::string_view field) {
  if (field == "artist") return hit.artist;
  return field == "album" ? hit.album : hit.title;
}

void AddHighlight(Json& highlights, const Highlight& highlight,
                  std::string_view text) {
  highlights[highlight.field].push_back(
      {Utf16Offset(text, highlight.begin), Utf16Offset(text, highlight.end)});
}

Json ExplainJson(const Hit& hit) {
  Json legs = Json::array();
  for (const LegScore& leg : hit.legs) {
    legs.push_back(
        {{"leg", leg.leg}, {"rank", leg.rank}, {"score", leg.score}});
  }
  Json features = Json::object();
  for (const auto& [name, value] : hit.features) features[name] = value;
  return {{"legs", std::move(legs)}, {"features", std::move(features)}};
}

Json HitJson(const Hit& hit) {
  Json highlights = Json::object();
  for (const Highlight& highlight : hit.highlights) {
    AddHighlight(highlights, highlight, FieldText(hit, highlight.field));
  }
  Json json = {{"type", Name(hit.type)},
               {"id", hit.id},
               {"title", hit.title},
               {"artist", hit.artist},
               {"album", hit.album},
               {"genre", hit.genre},
               {"year", hit.year == 0 ? Json() : Json(hit.year)},
               {"popularity", hit.popularity},
               {"score", hit.score},
               {"description", hit.description},
               {"highlights", std::move(highlights)}};
  if (!hit.legs.empty() || !hit.features.empty()) {
    json["explain"] = ExplainJson(hit);
  }
  return json;
}

Json SectionJson(const Section& section) {
  Json hits = Json::array();
  for (const Hit& hit : section.hits) hits.push_back(HitJson(hit));
  return {{"type", Name(section.type)},
          {"num_matches", section.num_matches},
          {"hits", std::move(hits)}};
}

Json FacetsJson(const SearchResponse& response) {
  Json facets = Json::object();
  for (const char* name : {"type", "genre", "year"}) {
    facets[name] = Json::array();
  }
  for (const auto& [name, counts] : response.facets) {
    for (const FacetCount& count : counts) {
      facets[name].push_back({{"value", count.value}, {"count", count.count}});
    }
  }
  return facets;
}

Json SuggestionJson(const Suggestion& suggestion) {
  Json highlights = Json::object();
  for (const Highlight& highlight : suggestion.highlights) {
    AddHighlight(highlights, highlight, suggestion.title);
  }
  return {{"text", suggestion.text},
          {"type", Name(suggestion.type)},
          {"id", suggestion.id},
          {"title", suggestion.title},
          {"artist", suggestion.artist},
          {"kind", suggestion.completion ? "completion" : "related"},
          {"highlights", std::move(highlights)}};
}

// The fields that do not depend on what is made of `text`.
void AddCorrectionFields(const std::string& query, const Correction& correction,
                         Json& json) {
  json["outcome"] = Name(correction.outcome);
  json["applied"] = correction.applied;
  json["confidence"] = correction.confidence;
  json["spans"] = Json::array();
  for (const CorrectionSpan& span : correction.spans) {
    json["spans"].push_back({{"begin", Utf16Offset(query, span.begin)},
                             {"end", Utf16Offset(query, span.end)},
                             {"text", span.text}});
  }
  json["alternatives"] = Json::array();
  for (const CorrectionAlternative& other : correction.alternatives) {
    json["alternatives"].push_back(
        {{"text", other.text}, {"confidence", other.confidence}});
  }
  json["completion"] =
      correction.completion.empty() ? Json() : Json(correction.completion);
  json["passes"] = correction.passes;
  json["gated"] = correction.gated;
}

Json CorrectionJson(const std::string& query, const Correction& correction) {
  const bool is_none = correction.outcome == SpellingOutcome::kNone;
  Json json = {{"text", is_none ? query : correction.text}};
  AddCorrectionFields(query, correction, json);
  return json;
}

Json TimingJson(const SearchResponse& response) {
  Json timing = Json::object();
  for (const auto& [stage, us] : response.timing_us) timing[stage] = us;
  for (const auto& [stage, us] : response.correction.timing_us) {
    timing[stage] = us;
  }
  return timing;
}

}  // namespace

std::string AnswerText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

HttpResponse JsonResponse(const Json& json, int status) {
  HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Cache-Control", "no-store");
  response.body = AnswerText(json);
  return response;
}

uint32_t Utf16Offset(std::string_view text, size_t offset) {
  uint32_t num_units = 0;
  for (const char c : text.substr(0, std::min(offset, text.size()))) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) ++num_units;  // not a continuation
    if (byte >= 0xF0) ++num_units;           // a surrogate pair
  }
  return num_units;
}

Json ToJson(const SearchRequest& request, const SearchResponse& response) {
  Json sections = Json::array();
  for (const Section& section : response.sections) {
    sections.push_back(SectionJson(section));
  }
  Json json = {
      {"query", response.query},
      {"correction", request.correct
                         ? CorrectionJson(response.query, response.correction)
                         : Json()},
      {"best", response.best ? HitJson(*response.best) : Json()},
      {"sections", std::move(sections)}};
  if (request.facets) json["facets"] = FacetsJson(response);
  json["timing_us"] = TimingJson(response);
  return json;
}

Json ToJson(const std::string& query, const Correction& correction,
            int64_t total_us) {
  const bool is_asked = correction.outcome == SpellingOutcome::kAsked;
  Json json = {{"query", query},
               {"text", correction.applied ? correction.text : query},
               {"did_you_mean", is_asked ? Json(correction.text) : Json()}};
  AddCorrectionFields(query, correction, json);
  Json timing = Json::object();
  for (const auto& [stage, us] : correction.timing_us) timing[stage] = us;
  timing["total"] = total_us;
  json["timing_us"] = std::move(timing);
  return json;
}

Json ToJson(const std::string& query,
            const std::vector<Suggestion>& suggestions, int64_t total_us) {
  Json list = Json::array();
  for (const Suggestion& suggestion : suggestions) {
    list.push_back(SuggestionJson(suggestion));
  }
  return {{"query", query},
          {"suggestions", std::move(list)},
          {"timing_us", {{"total", total_us}}}};
}

Json ToJson(const IndexStats& stats) {
  Json documents = Json::object();
  uint64_t total = 0;
  for (int type = 0; type < kNumEntityTypes; ++type) {
    documents[std::string(Name(static_cast<EntityType>(type)))] =
        stats.documents[type];
    total += stats.documents[type];
  }
  return {{"documents", std::move(documents)},
          {"num_documents", total},
          {"sequence", stats.sequence},
          {"last_sequence", stats.last_sequence},
          {"segments", stats.segments},
          {"delta_documents", stats.delta_documents},
          {"vectors", stats.vectors}};
}

}  // namespace quaver
