// Guesses of how an answer goes on, as a tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace quaver {

struct DraftNode {
  int32_t token = 0;
  int32_t parent = -1;  // its number, or -1 for the root: what is confirmed
  int32_t depth = 1;    // tokens after what is confirmed
};

// The number of a node's child, if there is one. `parent` may be the root.
std::optional<int32_t> FindChild(std::span<const DraftNode> nodes,
                                 int32_t parent, int32_t token);

// Paths from the root, merged where they begin alike; parents before children.
// A path that max_nodes have no room for is left out.
std::vector<DraftNode> MakeTree(std::span<const std::vector<int32_t>> paths,
                                size_t max_nodes);

// Where a draft goes on once `answer` was said: for every place of the draft,
// how many edits its beginning is from the answer (Levenshtein). Best places
// first; of equal ones the later: an answer mends words by fewer, longer
// tokens. Only places within one edit of the best, at most `max_places`.
std::vector<size_t> PlacesAfter(std::span<const int32_t> answer,
                                std::span<const int32_t> draft,
                                size_t max_places);

// The continuations of drafts, merged where they begin alike; parents before
// children. At most `max_nodes`, and none deeper than `max_depth`. Added to
// `nodes`, which count.
std::vector<DraftNode> MakeDraftTree(
    std::span<const int32_t> answer,
    std::span<const std::vector<int32_t>> drafts, size_t max_nodes,
    size_t max_depth, std::vector<DraftNode> nodes = {});

}  // namespace quaver
