// See entity.h.
#include "quaver/catalogue/entity.h"

#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "quaver/base/hash.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr std::array<std::string_view, kNumEntityTypes> kNames = {
    "track", "artist", "album", "show", "episode", "playlist"};

}  // namespace

std::string_view Name(EntityType type) {
  return kNames[static_cast<size_t>(type)];
}

absl::StatusOr<EntityType> ParseEntityType(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<EntityType>(i);
  }
  return absl::InvalidArgumentError(
      fmt::format("type \"{}\" is none of {}", name, fmt::join(kNames, ", ")));
}

uint64_t NameHash(EntityType type, std::string_view title,
                  std::string_view artist, std::string_view album) {
  // Normalised text holds no line feeds, so the parts cannot run together.
  return Hash64(fmt::format("{}\n{}\n{}\n{}", Name(type), Normalize(title),
                            Normalize(artist), Normalize(album)));
}

std::string DerivedId(const Entity& entity) {
  return fmt::format(
      "{}:{}", Name(entity.type),
      Hex64(NameHash(entity.type, entity.title, entity.artist, entity.album)));
}

}  // namespace quaver
