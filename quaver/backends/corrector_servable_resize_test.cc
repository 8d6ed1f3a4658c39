// Tests of the corrector servable while the number of its instances changes.
#include <atomic>
#include <filesystem>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "quaver/backends/corrector_servable.h"
#include "quaver/backends/tiny_corrector.h"
#include "quaver/engine/team.h"

namespace quaver {
namespace {

// CORRECTED and SCORE.
using Answer = std::pair<std::vector<std::string>, std::vector<std::byte>>;

Answer Ask(CorrectorServable& corrector, const std::string& text) {
  const auto answer = corrector.Infer(
      {Tensor{"TEXT", Datatype::kBytes, {1}, {text}, {}},
       Tensor{"DRAFTS", Datatype::kBytes, {2}, {"rain", "song"}, {}}});
  EXPECT_TRUE(answer.ok()) << answer.status();
  if (!answer.ok()) return {};
  return {(*answer)[0].strings, (*answer)[1].raw};
}

int NumThreads() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return static_cast<int>(std::distance(begin(threads), end(threads)));
}

class CorrectorServableResizeTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/quaver_corrector_servable_resize";
    WriteTinyCorrector(folder_);
  }

  std::unique_ptr<CorrectorServable> Create(CorrectorConfig config) const {
    config.model_folder = folder_;
    auto corrector = CorrectorServable::Create(config, BestKernels());
    EXPECT_TRUE(corrector.ok()) << corrector.status();
    return corrector.ok() ? *std::move(corrector) : nullptr;
  }

  std::string folder_;
};

TEST_F(CorrectorServableResizeTest, AnswersStayWhatTheyAreUnderLoad) {
  const std::vector<std::string> texts = {"rain on me", "q", "many words here"};
  for (const auto& [max_requests, threads_per_instance] :
       std::vector<std::pair<int, int>>{{1, 1}, {3, 1}, {1, 2}, {3, 2}}) {
    CorrectorConfig config = {.num_instances = 2, .max_requests = max_requests};
    config.threads_per_instance = threads_per_instance;
    if (threads_per_instance == 2) config.cores = {0, 1};
    const auto corrector = Create(config);
    ASSERT_NE(corrector, nullptr);
    std::vector<Answer> wanted;
    for (const std::string& text : texts) {
      wanted.push_back(Ask(*corrector, text));
      EXPECT_EQ(wanted.back().first.size(), 1u);
    }
    std::atomic<bool> stop = false;
    std::atomic<int> answered = 0;
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 6; ++i) {
      threads.emplace_back([&, i] {
        for (size_t round = i; !stop; ++round) {
          const size_t number = round % texts.size();
          EXPECT_EQ(Ask(*corrector, texts[number]), wanted[number]);
          ++answered;
        }
      });
    }
    for (const int count : {3, 1, 4, 2, 1, 3, 3}) {
      const int before = answered;
      EXPECT_TRUE(corrector->Resize(count).ok());
      EXPECT_EQ(corrector->counts().steps->num_instances, count);
      while (answered < before + 6) std::this_thread::yield();
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(corrector->counts().steps->num_failed, 0u);
    EXPECT_EQ(corrector->counts().steps->num_active, 0);
  }
}

TEST_F(CorrectorServableResizeTest, NoNumberIsTheDefault) {
  const auto corrector = Create({.num_instances = 3});
  ASSERT_NE(corrector, nullptr);
  const auto num_instances = [&] {
    return corrector->counts().steps->num_instances;
  };
  EXPECT_TRUE(absl::IsInvalidArgument(corrector->Resize(-1)));
  EXPECT_EQ(num_instances(), 3);
  EXPECT_TRUE(corrector->Resize(0).ok());
  EXPECT_EQ(num_instances(), NumInstances(0, 1));
}

// One core's instances have no helpers, so that there it shows nothing.
TEST_F(CorrectorServableResizeTest, TeamsFitTheNumberOfInstances) {
  CorrectorConfig config = {.num_instances = 1};
  config.threads_per_instance = 2;
  const int before = NumThreads();
  const auto corrector = Create(config);
  ASSERT_NE(corrector, nullptr);
  const Answer wanted = Ask(*corrector, "rain on me");
  for (const int count : {1, 2, 1, 4, 1}) {
    ASSERT_TRUE(corrector->Resize(count).ok());
    const int helpers = TeamSize(InstanceTeam(0, count, 2, {})) - 1;
    // The system lists a thread for a moment after it was joined.
    while (NumThreads() > before + count * helpers) std::this_thread::yield();
    EXPECT_EQ(NumThreads(), before + count * helpers);
    EXPECT_EQ(Ask(*corrector, "rain on me"), wanted);
  }
}

}  // namespace
}  // namespace quaver
