// Properties of what a trainer reads.
#include "quaver/train/internal/fuzz_checks.h"

#include <algorithm>
#include <cmath>

#include "quaver/base/check.h"
#include "quaver/train/recipe.h"
#include "quaver/train/shape.h"

namespace quaver {

bool CheckBartConfig(std::string_view bytes) {
  const auto shape = ParseBartConfig(bytes);
  if (!shape.ok()) {
    QUAVER_CHECK(!shape.status().message().empty());
    return false;
  }
  QUAVER_CHECK(CheckShape(*shape).ok());
  const auto again = ParseBartConfig(ToConfigJson(*shape));
  QUAVER_CHECK(again.ok() && *again == *shape);
  QUAVER_CHECK(!ToGenerationConfigJson(*shape).empty());
  QUAVER_CHECK(NumParameters(*shape) > 0);
  QUAVER_CHECK(std::isfinite(TrainingFlopsPerSourceToken(*shape)));
  QUAVER_CHECK(std::isfinite(TrainingFlopsPerTargetToken(*shape)));
  return true;
}

bool CheckRecipeJson(std::string_view bytes) {
  const auto recipe = ApplyJson({}, bytes);
  if (!recipe.ok()) {
    QUAVER_CHECK(absl::IsInvalidArgument(recipe.status()));
    QUAVER_CHECK(!recipe.status().message().empty());
    return false;
  }
  QUAVER_CHECK(CheckRecipe(*recipe).ok());
  // Written, it names every field: whose recipe it changes does not matter.
  const auto again = ApplyJson(PresetRecipe("tiny").value(), ToJson(*recipe));
  QUAVER_CHECK(again.ok() && *again == *recipe);
  int64_t pairs = 0;
  QUAVER_CHECK(
      !__builtin_mul_overflow(recipe->steps, recipe->batch_pairs, &pairs));
  for (const int64_t step : {int64_t{1}, recipe->warmup, recipe->steps}) {
    const double rate = LearningRate(*recipe, std::max<int64_t>(step, 1));
    QUAVER_CHECK(rate >= 0 && rate <= recipe->learning_rate * (1 + 1e-12));
  }
  return true;
}

}  // namespace quaver
