// Tests of the servables that tests of protocols use.
#include "quaver/backends/identity_servable.h"

#include <cstdint>
#include <cstring>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/backends/addsub_servable.h"

namespace quaver {
namespace {

Tensor Numbers(const std::string& name, const std::vector<int32_t>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {name,
          Datatype::kInt32,
          {static_cast<int64_t>(values.size()) / 16, 16},
          {},
          {bytes.begin(), bytes.end()}};
}

std::vector<int32_t> Values(const Tensor& tensor) {
  std::vector<int32_t> values(tensor.raw.size() / sizeof(int32_t));
  std::memcpy(values.data(), tensor.raw.data(), tensor.raw.size());
  return values;
}

TEST(IdentityServableTest, GivesBackWhatItIsGiven) {
  IdentityServable identity({.shape = {-1, 2}});
  EXPECT_EQ(identity.inputs()[0].shape, (std::vector<int64_t>{-1, 2}));
  const Tensors request = {
      {"INPUT0", Datatype::kBytes, {1, 2}, {"a", std::string(1, '\0')}, {}}};
  const auto answer = identity.Infer(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->size(), 1u);
  EXPECT_EQ((*answer)[0].name, "OUTPUT0");
  EXPECT_EQ((*answer)[0].shape, request[0].shape);
  EXPECT_EQ((*answer)[0].strings, request[0].strings);
}

TEST(IdentityServableTest, RefusesOtherTensors) {
  IdentityServable identity({.datatype = Datatype::kFp32});
  EXPECT_FALSE(identity.Infer({}).ok());
  EXPECT_FALSE(
      identity.Infer({{"INPUT0", Datatype::kInt32, {0}, {}, {}}}).ok());
  EXPECT_FALSE(identity.Infer({{"INPUT", Datatype::kFp32, {0}, {}, {}}}).ok());
}

TEST(AddSubServableTest, AddsAndSubtractsModulo32Bits) {
  AddSubServable addsub({});
  std::vector<int32_t> left(32, 5);
  std::vector<int32_t> right(32, 7);
  left[31] = INT32_MAX;
  right[31] = 1;
  const auto answer =
      addsub.Infer({Numbers("INPUT1", right), Numbers("INPUT0", left)});
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->size(), 2u);
  EXPECT_EQ((*answer)[0].shape, (std::vector<int64_t>{2, 16}));
  EXPECT_EQ(Values((*answer)[0])[0], 12);
  EXPECT_EQ(Values((*answer)[0])[31], INT32_MIN);
  EXPECT_EQ(Values((*answer)[1])[0], -2);
  EXPECT_EQ(Values((*answer)[1])[31], INT32_MAX - 1);
}

TEST(AddSubServableTest, RefusesOtherTensors) {
  AddSubServable addsub({});
  const std::vector<int32_t> row(16);
  EXPECT_FALSE(addsub.Infer({Numbers("INPUT0", row)}).ok());
  EXPECT_FALSE(addsub
                   .Infer({Numbers("INPUT0", row),
                           Numbers("INPUT1", std::vector<int32_t>(32))})
                   .ok());
  Tensor narrow = Numbers("INPUT1", row);
  narrow.shape = {2, 8};
  EXPECT_FALSE(addsub.Infer({Numbers("INPUT0", row), narrow}).ok());
}

}  // namespace
}  // namespace quaver
