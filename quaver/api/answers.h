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

// Text that is no UTF-8 is written with U+FFFD in place of the wrong bytes.
// Never cached: an answer is as old as the index.
HttpResponse JsonResponse(const nlohmann::ordered_json& json, int status = 200);

// UTF-16 code units before byte `offset` of UTF-8 text: how browsers count.
uint32_t Utf16Offset(std::string_view text, size_t offset);

// `with_facets`: "facets" is there, however empty.
nlohmann::ordered_json ToJson(const SearchResponse& response, bool with_facets);
nlohmann::ordered_json ToJson(const std::string& query,
                              const std::vector<Suggestion>& suggestions,
                              int64_t total_us);
nlohmann::ordered_json ToJson(const IndexStats& stats);

}  // namespace quaver
