// Tests of what a servable takes.
#include "quaver/sched/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<TensorSpec> kInputs = {
    {"TEXT", Datatype::kBytes, {-1}},
    {"IDS", Datatype::kInt64, {-1, 2}, /*optional=*/true}};

Tensor Text(const std::vector<std::string>& texts) {
  return {"TEXT",
          Datatype::kBytes,
          {static_cast<int64_t>(texts.size())},
          texts,
          {}};
}

Tensor Ids(std::vector<int64_t> shape, const std::vector<int64_t>& ids) {
  return MakeTensor("IDS", Datatype::kInt64, std::move(shape), ids);
}

std::string Complaint(const Tensors& request) {
  const absl::Status status = CheckInputs(kInputs, request);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return Message(status);
}

TEST(TensorsTest, TakesWhatTheServableSays) {
  EXPECT_TRUE(CheckInputs(kInputs, {Text({"a", "b"})}).ok());
  EXPECT_TRUE(CheckInputs(kInputs, {Text({})}).ok());
  EXPECT_TRUE(
      CheckInputs(kInputs, {Ids({2, 2}, {1, 2, 3, 4}), Text({"a"})}).ok());
  EXPECT_TRUE(CheckInputs({}, {}).ok());
}

TEST(TensorsTest, NamesWhatDoesNotFit) {
  EXPECT_THAT(Complaint({}), HasSubstr("no input 'TEXT'"));
  EXPECT_THAT(Complaint({Text({}), Text({})}), HasSubstr("'TEXT' is there"));
  Tensor other = Text({});
  other.name = "QUERY";
  EXPECT_THAT(Complaint({Text({}), other}), HasSubstr("no input 'QUERY'"));
  other = Text({"a"});
  other.datatype = Datatype::kFp32;
  EXPECT_THAT(Complaint({other}), HasSubstr("another datatype"));
  other = Text({"a"});
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{}, {1, 1}, {-1}}) {
    other.shape = shape;
    EXPECT_THAT(Complaint({other}), HasSubstr("expected [-1]"));
  }
  other.shape = {2};
  EXPECT_THAT(Complaint({other}), HasSubstr("the elements"));
  EXPECT_THAT(Complaint({Text({}), Ids({1, 3}, {1, 2, 3})}),
              HasSubstr("'IDS' has shape [1,3]; expected [-1,2]"));
  EXPECT_THAT(Complaint({Text({}), Ids({2, 2}, {1, 2, 3})}),
              HasSubstr("the elements"));
  EXPECT_THAT(Complaint({Text({}), Ids({int64_t{1} << 62, 2}, {})}),
              HasSubstr("the elements"));
  other = Ids({0, 2}, {});
  other.raw.resize(3);
  EXPECT_THAT(Complaint({Text({}), other}), HasSubstr("the elements"));
}

TEST(TensorsTest, ValuesGoInAndOut) {
  const Tensors tensors = {Text({}), Ids({1, 2}, {7, -8})};
  ASSERT_NE(FindTensor(tensors, "IDS"), nullptr);
  EXPECT_EQ(FindTensor(tensors, "OTHER"), nullptr);
  EXPECT_THAT(ValuesOf<int64_t>(*FindTensor(tensors, "IDS")),
              ElementsAre(7, -8));
  EXPECT_TRUE(ValuesOf<int64_t>(Ids({0, 2}, {})).empty());
}

}  // namespace
}  // namespace quaver
