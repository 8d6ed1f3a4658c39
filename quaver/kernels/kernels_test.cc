// Tests of the choice of a table.
#include "quaver/kernels/kernels.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace quaver {
namespace {

TEST(KernelsTest, ScalarIsAlwaysThereAndFirst) {
  ASSERT_FALSE(AvailableKernels().empty());
  EXPECT_STREQ(AvailableKernels().front()->name, "scalar");
}

TEST(KernelsTest, EveryTableIsComplete) {
  for (const Kernels* kernels : AvailableKernels()) {
    SCOPED_TRACE(kernels->name);
    EXPECT_NE(kernels->dense.packed_size, nullptr);
    EXPECT_NE(kernels->dense.pack, nullptr);
    EXPECT_NE(kernels->dense.gemm, nullptr);
    EXPECT_NE(kernels->dense.layer_norm, nullptr);
    EXPECT_NE(kernels->dense.layer_norm_codes, nullptr);
    EXPECT_NE(kernels->int8.quantise, nullptr);
    EXPECT_NE(kernels->int8.quantise_with, nullptr);
    EXPECT_NE(kernels->int8.gemm, nullptr);
    EXPECT_NE(kernels->bf16.round, nullptr);
    EXPECT_NE(kernels->bf16.gemm, nullptr);
    EXPECT_NE(kernels->dense.attention_scratch, nullptr);
    EXPECT_NE(kernels->dense.attention, nullptr);
  }
}

// The choice is made once a process, so each test makes it in a new one.
class ForcedIsaTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  static void ExpectChoice(const char* isa, const std::string& chosen) {
    EXPECT_EXIT(
        {
          setenv("QUAVER_ISA", isa, /*overwrite=*/1);
          std::exit(BestKernels().name == chosen ? 0 : 1);
        },
        testing::ExitedWithCode(0), "")
        << isa;
  }
};

TEST_F(ForcedIsaTest, NamesAnyAvailableTable) {
  for (const Kernels* kernels : AvailableKernels()) {
    ExpectChoice(kernels->name, kernels->name);
  }
}

TEST_F(ForcedIsaTest, UnknownNamesMeanTheBest) {
  const std::string best = AvailableKernels().back()->name;
  ExpectChoice("mmx", best);
  ExpectChoice("", best);
}

TEST_F(ForcedIsaTest, UnknownNamesAreLogged) {
  EXPECT_EXIT(
      {
        setenv("QUAVER_ISA", "mmx", /*overwrite=*/1);
        BestKernels();
        std::exit(0);
      },
      testing::ExitedWithCode(0), "QUAVER_ISA=\"mmx\" is ignored");
}

}  // namespace
}  // namespace quaver
