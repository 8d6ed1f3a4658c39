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

// Adds a path from the root to a tree, merged with what begins alike; parents
// come before children. Nothing is added, and the answer is false, where there
// would be more than max_nodes.
bool AddPath(std::span<const int32_t> path, size_t max_nodes,
             std::vector<DraftNode>* nodes);

// What PlacesAfter and AddDrafts reckon with. Kept, it spares allocations.
struct DraftScratch {
  std::vector<size_t> edits, places;
};

// Where a draft goes on once `answer` was said: for every place of the draft,
// how many edits its beginning is from the answer (Levenshtein). Best places
// first; of equal ones the later: an answer mends words by fewer, longer
// tokens. Only places within one edit of the best, at most `max_places`. In
// `scratch`, until it is used again.
std::span<const size_t> PlacesAfter(std::span<const int32_t> answer,
                                    std::span<const int32_t> draft,
                                    size_t max_places, DraftScratch* scratch);

// Adds the continuations of drafts to a tree, as AddPath does, as far as they
// fit: at most `max_nodes` in all, and none deeper than `max_depth`.
void AddDrafts(std::span<const int32_t> answer,
               std::span<const std::span<const int32_t>> drafts,
               size_t max_nodes, size_t max_depth, DraftScratch* scratch,
               std::vector<DraftNode>* nodes);

}  // namespace quaver
