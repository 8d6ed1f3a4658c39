// The JSON of the product's answers; openapi.json describes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "quaver/ingest/live_index.h"
#include "quaver/net/http.h"
#include "quaver/search/search_bar.h"

namespace quaver {

// The JSON as bodies have it, a line. Text that is no UTF-8 is written with
// U+FFFD in place of the wrong bytes.
std::string AnswerText(const nlohmann::ordered_json& json);

// Never cached: an answer is as old as the index.
HttpResponse JsonResponse(const nlohmann::ordered_json& json, int status = 200);

// UTF-16 code units before byte `offset` of UTF-8 text: how browsers count.
uint32_t Utf16Offset(std::string_view text, size_t offset);

// Of the request, what was asked for decides what is there: with facets
// "facets", however empty; without `correct`, null for "correction".
nlohmann::ordered_json ToJson(const SearchRequest& request,
                              const SearchResponse& response);
// `query`: what the correction's spans refer to. "text" is what a search takes
// without asking; what it would ask about is "did_you_mean".
nlohmann::ordered_json ToJson(const std::string& query,
                              const Correction& correction, int64_t total_us);
nlohmann::ordered_json ToJson(const std::string& query,
                              const std::vector<Suggestion>& suggestions,
                              int64_t total_us);
nlohmann::ordered_json ToJson(const IndexStats& stats);

}  // namespace quaver
