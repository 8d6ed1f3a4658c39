// A model's products, and the steps of a call, as commands print them.
#pragma once

#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

#include "quaver/engine/call_steps.h"
#include "quaver/engine/plan.h"

namespace quaver {

// What a product is: name, shape, precision, range, bytes.
nlohmann::json ToJson(const Product& product);

// What a step of a call with BestKernels() is: name, kind, shape, precision,
// kernel, bytes.
nlohmann::json ToJson(const CallStep& step);

// Of products of models that BestKernels() computes: the way for M rows,
std::string TacticAt(const Product& product, size_t M);
// all ways, as [{"rows": the most, "tactic"}], the last for any more rows,
nlohmann::json TacticsJson(const Product& product);
// or as "avx512_vnni.far to 8 rows, amx".
std::string TacticsText(const Product& product);

}  // namespace quaver
