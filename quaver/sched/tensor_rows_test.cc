// Tests of tensors as rows: counted, joined, parted; and of requests as keys.
#include "quaver/sched/internal/tensor_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/sched/request_key.h"
#include "quaver/sched/servable_fixture.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Refusal(const Tensors& request) {
  const absl::Status status = NumRows(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return Message(status);
}

TEST(TensorRowsTest, CountsRows) {
  const auto rows = NumRows(
      {Numbers("X", {2, 3}, {1, 2, 3, 4, 5, 6}), Texts("T", {2}, {"a", "b"})});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(*rows, 2);
}

TEST(TensorRowsTest, RefusesWhatHasNoRows) {
  const Tensor x = Numbers("X", {1, 1}, {1});
  EXPECT_EQ(Refusal({}), "the request has no inputs");
  EXPECT_THAT(Refusal({Numbers("X", {}, {1})}), HasSubstr("input X has shape"));
  EXPECT_THAT(Refusal({Numbers("X", {0, 1}, {})}), HasSubstr("at least 1"));
  EXPECT_THAT(Refusal({x, Numbers("Y", {2}, {1, 2})}),
              HasSubstr("input Y has shape [2]"));
  EXPECT_THAT(Refusal({x, x}), HasSubstr("input X is there twice"));
}

TEST(TensorRowsTest, RefusesShapesThatLie) {
  constexpr int64_t kHuge = int64_t{1} << 40;
  for (const auto& shape : std::vector<std::vector<int64_t>>{
           {1, 2}, {2, 1}, {-1, -1}, {kHuge, kHuge}}) {
    EXPECT_THAT(Refusal({Numbers("X", shape, {1})}),
                HasSubstr("does not have the elements of its shape"));
  }
  EXPECT_THAT(Refusal({Texts("T", {2}, {"a"})}),
              HasSubstr("does not have the elements of its shape"));
}

TEST(TensorRowsTest, AKindIsNamesTypesAndShapes) {
  const Tensor x = Numbers("X", {1, 2}, {1, 2});
  const Tensor y = Numbers("Y", {1}, {1});
  const auto kind = [](const Tensors& request,
                       std::vector<std::string> ragged = {}) {
    return TensorsKind(request, ragged);
  };
  Tensor of_floats = x;
  of_floats.datatype = Datatype::kFp32;
  EXPECT_EQ(kind({x, y}), kind({y, x}));
  EXPECT_EQ(kind({x}), kind({Numbers("X", {2, 2}, {1, 2, 3, 4})}));
  EXPECT_NE(kind({x}), kind({x, y}));
  EXPECT_NE(kind({x}), kind({Numbers("Z", {1, 2}, {1, 2})}));
  EXPECT_NE(kind({x}), kind({of_floats}));
  EXPECT_NE(kind({x}), kind({Numbers("X", {1, 3}, {1, 2, 3})}));
  EXPECT_EQ(kind({x}, {"X"}), kind({Numbers("X", {1, 3}, {1, 2, 3})}, {"X"}));
  EXPECT_NE(kind({x}, {"X"}), kind({Numbers("X", {1}, {1})}, {"X"}));
}

TEST(TensorRowsTest, JoinsAndParts) {
  const Tensor one = Numbers("X", {1, 2}, {1, 2});
  const Tensor two = Numbers("X", {2, 2}, {3, 4, 5, 6});
  const std::vector<const Tensor*> tensors = {&one, &two};
  const Tensor joined = JoinRows(tensors);
  EXPECT_THAT(joined.shape, ElementsAre(3, 2));
  EXPECT_THAT(ValuesOf(joined), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(JoinElements(tensors).shape, ElementsAre(6));
  const auto parts = PartRows({joined}, std::vector<int>{2, 1});
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_THAT(ValuesOf(parts->at(0)[0]), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(parts->at(0)[0].shape, ElementsAre(2, 2));
  EXPECT_THAT(ValuesOf(parts->at(1)[0]), ElementsAre(5, 6));
  const absl::Status wrong =
      PartRows({joined}, std::vector<int>{2, 2}).status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Message(wrong),
            "output X has shape [3, 2]; it was asked for 4 rows");
}

TEST(RequestKeyTest, IsOfWhatDecidesOnTheAnswer) {
  const Tensors request = {Numbers("A", {1}, {1}), Numbers("B", {1}, {2})};
  const Tensors reversed = {request[1], request[0]};
  const std::vector<std::string> wanted = {"OUT"};
  const std::string key = RequestKey("m", request, {});
  EXPECT_EQ(RequestKey("m", reversed, {.priority = 2}), key);
  EXPECT_NE(RequestKey("n", request, {}), key);
  EXPECT_NE(RequestKey("m", request, {.parameters = "{}"}), key);
  EXPECT_NE(RequestKey("m", request, {.outputs = wanted}), key);
}

}  // namespace
}  // namespace quaver
