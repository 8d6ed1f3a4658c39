// Tests of draft trees: where drafts go on, what is shared, what does not fit.
#include "quaver/engine/internal/draft_tree.h"

#include <optional>
#include <span>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Tokens = std::vector<int32_t>;

TEST(DraftTreeTest, PlacesAreThoseOfTheNearestBeginnings) {
  const Tokens draft = {10, 11, 12, 13, 14};
  DraftScratch scratch;
  const auto places = [&](const Tokens& answer, size_t max_places) {
    return PlacesAfter(answer, draft, max_places, &scratch);
  };
  EXPECT_THAT(places({}, 1), ElementsAre(0));
  EXPECT_THAT(places({10, 11}, 1), ElementsAre(2));
  // 11 was replaced by 99, or 99 put before it; replaced counts first.
  EXPECT_THAT(places({10, 99}, 2), ElementsAre(2, 1));
  EXPECT_THAT(places({10, 99, 13}, 1), ElementsAre(4));
}

// Of an answer that has not begun.
std::vector<DraftNode> DraftTree(const std::vector<Tokens>& drafts,
                                 size_t max_nodes, size_t max_depth,
                                 std::vector<DraftNode> nodes = {}) {
  const std::vector<std::span<const int32_t>> texts(drafts.begin(),
                                                    drafts.end());
  DraftScratch scratch;
  AddDrafts({}, texts, max_nodes, max_depth, &scratch, &nodes);
  return nodes;
}

TEST(DraftTreeTest, SharesBeginningsAndKeepsToItsLimits) {
  const std::vector<Tokens> drafts = {{5, 6, 7}, {5, 6, 8, 9}, {5}};
  const auto tree = DraftTree(drafts, 10, 10);
  ASSERT_EQ(tree.size(), 5u);
  EXPECT_EQ(tree[3].token, 8);
  EXPECT_EQ(tree[3].parent, 1);
  EXPECT_EQ(tree[3].depth, 3);
  EXPECT_EQ(DraftTree(drafts, 4, 10).size(), 4u);
  EXPECT_EQ(DraftTree(drafts, 10, 2).size(), 2u);
  EXPECT_THAT(DraftTree({}, 10, 10), IsEmpty());
}

TEST(DraftTreeTest, LeavesOutPathsThatDoNotFit) {
  const std::vector<Tokens> paths = {{5, 6}, {5, 7, 8, 9}, {5, 7}, {}, {5}};
  std::vector<DraftNode> tree;
  for (const Tokens& path : paths) {
    EXPECT_EQ(AddPath(path, 3, &tree), path.size() != 4);
  }
  ASSERT_EQ(tree.size(), 3u);
  EXPECT_EQ(FindChild(tree, 0, 7), 2);
  EXPECT_EQ(FindChild(tree, 2, 8), std::nullopt);
  const auto more = DraftTree(paths, 4, 10, tree);
  EXPECT_EQ(more.size(), 4u);  // 8 as well: drafts may be cut
  EXPECT_EQ(FindChild(more, 2, 8), 3);
}

}  // namespace
}  // namespace quaver
