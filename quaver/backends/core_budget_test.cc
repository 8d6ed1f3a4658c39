// Tests that models compute on the process's cores alone, whoever asks, where
// the budget binds.
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/backends/bart_decoder_servable.h"
#include "quaver/backends/bart_encoder_servable.h"
#include "quaver/backends/corrector_servable.h"
#include "quaver/backends/encoder_servable.h"
#include "quaver/backends/tiny_corrector.h"
#include "quaver/base/cores.h"
#include "quaver/base/file.h"
#include "quaver/base/workers.h"
#include "quaver/engine/tiny_bert.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

Tensor Text(const std::string& text) {
  return {"TEXT", Datatype::kBytes, {1}, {text}, {}};
}

Tensor Ids(const std::string& name) {
  return MakeTensor(name, Datatype::kInt64, {1, 3},
                    std::vector<int64_t>{0, 12, 2});
}

class CoreBudgetTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string folder = testing::TempDir() + "/quaver_core_budget";
    std::filesystem::remove_all(folder);
    TinyBert tiny;
    tiny.Wrap("pooling_mode_mean_tokens", /*normalize=*/true);
    tiny.WriteTo(folder + "/bert");
    const auto write = [&](const char* name, const char* content) {
      ASSERT_TRUE(WriteFileAtomically(folder + "/bert/" + name, content).ok());
    };
    write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nrain\n");
    write("tokenizer_config.json",
          R"({"do_lower_case": true, "tokenizer_class": "BertTokenizer"})");
    WriteTinyCorrector(folder + "/bart");
    // One instance each, which callers wait for.
    encoder_ = EncoderServable::Create(
                   {.model_folder = folder + "/bert", .num_instances = 1},
                   BestKernels())
                   .value();
    corrector_ = CorrectorServable::Create(
                     {.model_folder = folder + "/bart", .num_instances = 1},
                     BestKernels())
                     .value();
    bart_encoder_ =
        BartEncoderServable::Create({folder + "/bart", 1}, BestKernels())
            .value();
    bart_decoder_ =
        BartDecoderServable::Create({folder + "/bart", 1}, BestKernels())
            .value();
    CoreBudget::OfProcess().SetBinds(true);
    states_ = bart_encoder_->Infer({Ids("INPUT_IDS")}).value()[0];
  }

  void TearDown() override { CoreBudget::OfProcess().SetBinds(QuotaBinds()); }

  std::vector<std::function<absl::Status()>> Calls() {
    return {[&] { return encoder_->Infer({Text("rain")}).status(); },
            [&] { return corrector_->Infer({Text("rain")}).status(); },
            [&] { return bart_encoder_->Infer({Ids("INPUT_IDS")}).status(); },
            [&] {
              return bart_decoder_->Infer({Ids("DECODER_INPUT_IDS"), states_})
                  .status();
            }};
  }

  std::unique_ptr<Servable> encoder_, corrector_, bart_encoder_, bart_decoder_;
  Tensor states_;
};

TEST_F(CoreBudgetTest, ModelsWaitForACore) {
  CoreBudget& budget = CoreBudget::OfProcess();
  for (const auto& call : Calls()) {
    const int all = budget.TakeIdle(1 << 20);
    std::atomic<bool> answered{false};
    std::thread caller([&] {
      EXPECT_TRUE(call().ok());
      answered = true;
    });
    while (budget.num_waiting() == 0) std::this_thread::yield();
    EXPECT_FALSE(answered);
    budget.Give(all);
    caller.join();
  }
}

// As searches do: they hold a core when they ask, and many wait for one
// instance.
TEST_F(CoreBudgetTest, CallersThatHoldCoresDoNotBlockEachOther) {
  std::vector<std::thread> threads;
  std::atomic<int> num_answered{0};
  for (size_t t = 0; t < 12; ++t) {
    threads.emplace_back([&, t] {
      const auto calls = Calls();
      for (size_t i = 0; i < 100; ++i) {
        const CoreLease core;
        num_answered += calls[(t + i) % calls.size()]().ok();
        EXPECT_TRUE(HoldsCore());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_answered, 12 * 100);
  CoreBudget& budget = CoreBudget::OfProcess();
  EXPECT_EQ(budget.TakeIdle(1 << 20), AvailableCores());  // nothing was lost
  budget.Give(AvailableCores());
}

}  // namespace
}  // namespace quaver
