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

// Adds a path below the root, sharing what is there already; false when
// max_nodes came first.
bool AddPath(std::span<const int32_t> tokens, size_t max_nodes,
             std::vector<DraftNode>* nodes) {
  int32_t parent = -1;
  int32_t depth = 0;
  for (const int32_t token : tokens) {
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

std::vector<size_t> PlacesAfter(std::span<const int32_t> answer,
                                std::span<const int32_t> draft,
                                size_t max_places) {
  // edits[j]: from the answer so far to the draft's first j tokens.
  std::vector<size_t> edits(draft.size() + 1);
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
  std::vector<size_t> places;
  for (size_t j = edits.size(); j-- > 0;) {
    if (edits[j] <= best + 1) places.push_back(j);
  }
  std::stable_sort(places.begin(), places.end(),
                   [&](size_t a, size_t b) { return edits[a] < edits[b]; });
  if (places.size() > max_places) places.resize(max_places);
  return places;
}

std::vector<DraftNode> MakeDraftTree(
    std::span<const int32_t> answer,
    std::span<const std::vector<int32_t>> drafts, size_t max_nodes,
    size_t max_depth, std::vector<DraftNode> nodes) {
  for (size_t rank = 0; rank < kMaxPlaces; ++rank) {
    for (const std::vector<int32_t>& draft : drafts) {
      // Nothing was mended yet: there is one place.
      const auto places =
          PlacesAfter(answer, draft, answer.empty() ? 1 : kMaxPlaces);
      if (rank >= places.size()) continue;
      const auto rest = std::span(draft).subspan(places[rank]);
      AddPath(rest.subspan(0, std::min(rest.size(), max_depth)), max_nodes,
              &nodes);
    }
  }
  return nodes;
}

std::vector<DraftNode> MakeTree(std::span<const std::vector<int32_t>> paths,
                                size_t max_nodes) {
  std::vector<DraftNode> nodes;
  for (const std::vector<int32_t>& path : paths) {
    const size_t before = nodes.size();
    if (!AddPath(path, max_nodes, &nodes)) nodes.resize(before);
  }
  return nodes;
}

}  // namespace quaver
