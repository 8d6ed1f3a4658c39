// See draft_tree.h.
#include "quaver/engine/internal/draft_tree.h"

#include <algorithm>
#include <numeric>

namespace quaver {

std::optional<int32_t> FindChild(std::span<const DraftNode> nodes,
                                 int32_t parent, int32_t token) {
  const auto child =
      std::find_if(nodes.begin(), nodes.end(), [&](const DraftNode& node) {
        return node.parent == parent && node.token == token;
      });
  if (child == nodes.end()) return std::nullopt;
  return static_cast<int32_t>(child - nodes.begin());
}

namespace {

constexpr size_t kMaxPlaces = 3;

// As far as max_nodes have room; whether that was wholly.
bool AddBeginning(std::span<const int32_t> path, size_t max_nodes,
                  std::vector<DraftNode>* nodes) {
  int32_t parent = -1;
  int32_t depth = 0;
  for (const int32_t token : path) {
    ++depth;
    const auto known = FindChild(*nodes, parent, token);
    if (known) {
      parent = *known;
      continue;
    }
    if (nodes->size() >= max_nodes) return false;
    nodes->push_back({token, parent, depth});
    parent = static_cast<int32_t>(nodes->size()) - 1;
  }
  return true;
}

}  // namespace

bool AddPath(std::span<const int32_t> path, size_t max_nodes,
             std::vector<DraftNode>* nodes) {
  const size_t before = nodes->size();
  if (AddBeginning(path, max_nodes, nodes)) return true;
  nodes->resize(before);
  return false;
}

std::span<const size_t> PlacesAfter(std::span<const int32_t> answer,
                                    std::span<const int32_t> draft,
                                    size_t max_places, DraftScratch* scratch) {
  // edits[j]: from the answer so far to the draft's first j tokens.
  std::vector<size_t>& edits = scratch->edits;
  edits.resize(draft.size() + 1);
  std::iota(edits.begin(), edits.end(), size_t{0});
  for (size_t i = 0; i < answer.size(); ++i) {
    size_t diagonal = edits[0];
    edits[0] = i + 1;
    for (size_t j = 0; j < draft.size(); ++j) {
      const size_t replaced = diagonal + (answer[i] == draft[j] ? 0 : 1);
      diagonal = edits[j + 1];
      edits[j + 1] = std::min({replaced, diagonal + 1, edits[j] + 1});
    }
  }
  const size_t best = *std::min_element(edits.begin(), edits.end());
  scratch->places.clear();
  for (size_t distance = best; distance <= best + 1; ++distance) {
    for (size_t j = edits.size(); j-- > 0;) {
      if (edits[j] == distance) scratch->places.push_back(j);
    }
  }
  return std::span(scratch->places)
      .first(std::min(max_places, scratch->places.size()));
}

void AddDrafts(std::span<const int32_t> answer,
               std::span<const std::span<const int32_t>> drafts,
               size_t max_nodes, size_t max_depth, DraftScratch* scratch,
               std::vector<DraftNode>* nodes) {
  for (size_t rank = 0; rank < kMaxPlaces; ++rank) {
    for (const std::span<const int32_t> draft : drafts) {
      // Nothing was mended yet: there is one place.
      const auto places =
          PlacesAfter(answer, draft, answer.empty() ? 1 : kMaxPlaces, scratch);
      if (rank >= places.size()) continue;
      const auto rest = draft.subspan(places[rank]);
      AddBeginning(rest.first(std::min(rest.size(), max_depth)), max_nodes,
                   nodes);
    }
  }
}

}  // namespace quaver
