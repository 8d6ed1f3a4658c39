// Tests of what is loaded when, and of what is served meanwhile.
#include "quaver/serve/model_repository.h"

#include <thread>

#include "quaver/serve/model_repository_fixture.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(ModelRepositoryTest, AllModelsOfAllFoldersAreLoaded) {
  config_.folders.push_back(folder_ + "/b");
  Write("one/1/value", "1");
  Write("two/1/value", "2", "b");
  Write("two/config.pbtxt", "backend: \"add\" max_batch_size: 3", "b");
  Write("a file", "no model");
  Write(".hidden/1/value", "4");
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(*Ask("one"), 1);
  EXPECT_EQ(*Ask("two"), 2);
  EXPECT_THAT(Index(), ElementsAre("one/1 READY", "two/1 READY"));
  EXPECT_TRUE(repository_->Ready().ok());
  EXPECT_EQ((*models_.Find("one"))->config.backend, "add");
  EXPECT_EQ((*models_.Find("one"))->config.max_batch_size, 8);
  EXPECT_EQ((*models_.Find("two"))->config.max_batch_size, 3);
  EXPECT_EQ((*models_.Find("two"))->config.inputs[0].name, "X");
  EXPECT_EQ(repository_->Load("one").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(repository_->Unload("one").code(), absl::StatusCode::kUnavailable);
}

TEST_F(ModelRepositoryTest, PoliciesChooseVersions) {
  for (const char* version : {"1", "2", "10", "007", "x", "0"}) {
    Write(std::string("m/") + version + "/value", "3");
  }
  Write("m/config.pbtxt", "version_policy { latest { num_versions: 2 } }");
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(Index(), ElementsAre("m/2 READY", "m/10 READY"));
  EXPECT_EQ((*models_.Find("m"))->config.version, 10);
  EXPECT_EQ((*models_.Find("m", "2"))->config.version, 2);
  EXPECT_EQ(models_.Find("m", "1").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ModelRepositoryTest, WhatFailsIsNamedAndTheOthersServe) {
  Write("good/1/value", "1");
  Write("bad/1/value", "bad");
  Write("broken/config.pbtxt", "max_batch: 1");
  Write("empty/config.pbtxt", "backend: \"add\"");
  Write("stranger/1/value", "1");
  Write("stranger/config.pbtxt", "backend: \"tensorrt\"");
  const absl::Status status = Start();
  EXPECT_THAT(Message(status), HasSubstr("failed to load 'bad', version 1"));
  EXPECT_THAT(Message(status), HasSubstr("config.pbtxt:1:"));
  EXPECT_THAT(Message(status), HasSubstr("there is no version folder"));
  EXPECT_THAT(Message(status), HasSubstr("there is no backend 'tensorrt'; "
                                         "there is: add, plain"));
  EXPECT_EQ(*Ask("good"), 1);
  EXPECT_THAT(
      Index(),
      ElementsAre(
          HasSubstr("bad/1 UNAVAILABLE failed to load 'bad', version 1"),
          HasSubstr("broken UNAVAILABLE failed to load 'broken'"),
          HasSubstr("empty UNAVAILABLE"), "good/1 READY",
          HasSubstr("stranger/1 UNAVAILABLE")));
  EXPECT_THAT(Message(repository_->Ready()), HasSubstr("is not ready"));
}

TEST_F(ModelRepositoryTest, StartingNeedsWhatItIsGiven) {
  config_.folders = {folder_ + "/nowhere"};
  EXPECT_EQ(Start().code(), absl::StatusCode::kNotFound);
  config_.folders = {folder_ + "/a"};
  config_.load_models = {"m"};
  EXPECT_THAT(Message(Start()), HasSubstr("--model-control-mode explicit"));
  config_.load_models = {};
  config_.num_load_threads = 0;
  EXPECT_EQ(Start().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ModelRepositoryTest, ANameInTwoRepositoriesIsNone) {
  config_.folders.push_back(folder_ + "/b");
  Write("m/1/value", "1");
  Write("m/1/value", "2", "b");
  EXPECT_THAT(Message(Start()), HasSubstr("'m' is in two repositories"));
  EXPECT_FALSE(Ask("m").ok());
}

TEST_F(ModelRepositoryTest, ExplicitModelsComeAndGo) {
  config_.control = ModelControl::kExplicit;
  config_.load_models = {"one"};
  Write("one/1/value", "1");
  Write("two/1/value", "2");
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(Index(), ElementsAre("one/1 READY", "two"));
  ASSERT_TRUE(repository_->Load("two").ok());
  EXPECT_EQ(*Ask("two"), 2);
  EXPECT_EQ(watched_.num_alive, 2);
  ASSERT_TRUE(repository_->Unload("one").ok());
  EXPECT_EQ(watched_.num_alive, 1);
  EXPECT_THAT(Index(),
              ElementsAre("one/1 UNAVAILABLE unloaded", "two/1 READY"));
  EXPECT_THAT(Message(Ask("one").status()),
              HasSubstr("Request for unknown model: 'one' is not found"));
  EXPECT_TRUE(repository_->Ready().ok());
  EXPECT_TRUE(repository_->Unload("one").ok());  // again
  ASSERT_TRUE(repository_->Load("one").ok());
  EXPECT_THAT(Index(), ElementsAre("one/1 READY", "two/1 READY"));
}

TEST_F(ModelRepositoryTest, StarLoadsAll) {
  config_.control = ModelControl::kExplicit;
  config_.load_models = {"*"};
  Write("one/1/value", "1");
  Write("two/1/value", "2");
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(Index(), ElementsAre("one/1 READY", "two/1 READY"));
}

TEST_F(ModelRepositoryTest, NamesThatLeadElsewhereAreRefused) {
  config_.control = ModelControl::kExplicit;
  Write("m/1/value", "1");
  Write("secret/1/value", "1", "b");
  ASSERT_TRUE(Start().ok());
  for (const char* name : {"", ".", "..", "../b/secret", "m/1", "/etc", "no\n",
                           "\xFF", "nobody"}) {
    const absl::Status status = repository_->Load(name);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(Message(status), HasSubstr("failed to load '"));
    EXPECT_EQ(repository_->Unload(name).code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_THAT(Index(), ElementsAre("m"));
}

TEST_F(ModelRepositoryTest, TheProgramsOwnModelsStay) {
  config_.control = ModelControl::kExplicit;
  Write("own/1/value", "1");
  ASSERT_TRUE(
      models_.Add("own", std::make_shared<AddServable>(7, true, watched_), 4)
          .ok());
  ASSERT_TRUE(Start().ok());
  EXPECT_FALSE(repository_->Load("own").ok());
  EXPECT_FALSE(repository_->Unload("own").ok());
  EXPECT_EQ(*Ask("own"), 7);
  EXPECT_THAT(Index(), ElementsAre("own/1 READY"));
}

TEST_F(ModelRepositoryTest, AReloadThatFailsLeavesTheOldVersion) {
  config_.control = ModelControl::kExplicit;
  config_.load_models = {"m"};
  Write("m/1/value", "1");
  ASSERT_TRUE(Start().ok());
  for (const auto& [file, content] :
       {std::pair("m/1/value", "bad"), std::pair("m/config.pbtxt", "x")}) {
    Write(file, content);
    EXPECT_FALSE(repository_->Load("m").ok());
    EXPECT_EQ(*Ask("m"), 1);
    EXPECT_THAT(Index(),
                ElementsAre(HasSubstr("m/1 READY failed to load 'm'")));
    EXPECT_TRUE(repository_->Ready().ok());
  }
  Remove("m/config.pbtxt");
  Write("m/1/value", "2");
  ASSERT_TRUE(repository_->Load("m").ok());
  EXPECT_EQ(*Ask("m"), 2);
  EXPECT_EQ(watched_.num_alive, 1);
  EXPECT_THAT(Index(), ElementsAre("m/1 READY"));
}

TEST_F(ModelRepositoryTest, AVersionThatFailsSpoilsTheLoad) {
  config_.control = ModelControl::kExplicit;
  Write("m/1/value", "1");
  Write("m/config.pbtxt", "version_policy { all { } }");
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(repository_->Load("m").ok());
  Write("m/2/value", "2");
  Write("m/3/value", "bad");
  EXPECT_THAT(Message(repository_->Load("m")), HasSubstr("version 3"));
  EXPECT_THAT(models_.Versions("m"), ElementsAre(1));
  Write("m/3/value", "3");
  Remove("m/1");
  ASSERT_TRUE(repository_->Load("m").ok());
  EXPECT_THAT(Index(), ElementsAre("m/1 UNAVAILABLE unloaded", "m/2 READY",
                                   "m/3 READY"));
}

TEST_F(ModelRepositoryTest, TheOldVersionServesUntilTheNewOneIsWarm) {
  config_.control = ModelControl::kExplicit;
  config_.load_models = {"m"};
  Write("m/1/value", "1");
  ASSERT_TRUE(Start().ok());
  const auto held = *models_.Find("m");
  Gate gate;
  watched_.load_gate = &gate;
  Write("m/1/value", "2");
  absl::Status status;
  std::thread loader([&] { status = repository_->Load("m"); });
  gate.AwaitWaiting();
  EXPECT_EQ(*Ask("m"), 1);
  EXPECT_THAT(Index(), ElementsAre("m/1 READY"));
  watched_.load_gate = nullptr;
  gate.Open();
  loader.join();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(*Ask("m"), 2);
  // Who began with the old one keeps it.
  EXPECT_EQ(*AskModel(*held), 1);
  EXPECT_EQ(watched_.num_alive, 2);
}

TEST_F(ModelRepositoryTest, AFirstLoadIsSeen) {
  config_.control = ModelControl::kExplicit;
  Write("m/1/value", "1");
  ASSERT_TRUE(Start().ok());
  Gate gate;
  watched_.load_gate = &gate;
  std::thread loader([&] { EXPECT_TRUE(repository_->Load("m").ok()); });
  gate.AwaitWaiting();
  EXPECT_THAT(Index(), ElementsAre("m/1 LOADING"));
  EXPECT_EQ(models_.Find("m").status().code(), absl::StatusCode::kUnavailable);
  gate.Open();
  loader.join();
  EXPECT_THAT(Index(), ElementsAre("m/1 READY"));
}

TEST_F(ModelRepositoryTest, AnUnloadWaitsForCallsInFlight) {
  config_.control = ModelControl::kExplicit;
  config_.load_models = {"m"};
  Write("m/1/value", "1");
  ASSERT_TRUE(Start().ok());
  Gate gate;
  watched_.call_gate = &gate;
  std::thread caller([&] { EXPECT_EQ(*Ask("m"), 1); });
  gate.AwaitWaiting();
  std::thread unloader([&] { EXPECT_TRUE(repository_->Unload("m").ok()); });
  while (!models_.Versions("m").empty()) std::this_thread::yield();
  EXPECT_THAT(Index(), ElementsAre("m/1 UNLOADING unloaded"));
  EXPECT_EQ(watched_.num_alive, 1);
  gate.Open();
  caller.join();
  unloader.join();
  EXPECT_EQ(watched_.num_alive, 0);
  EXPECT_THAT(Index(), ElementsAre("m/1 UNAVAILABLE unloaded"));
}

TEST_F(ModelRepositoryTest, OverlappingLoadsTakeTurns) {
  config_.control = ModelControl::kExplicit;
  Write("m/1/value", "1");
  Write("n/1/value", "2");
  ASSERT_TRUE(Start().ok());
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) {
      const auto answer = Ask("m");
      if (answer.ok()) {
        EXPECT_EQ(*answer, 1);
      }
    }
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        EXPECT_TRUE(repository_->Load(i % 2 == 0 ? "m" : "n").ok());
        if (i == 3) {
          EXPECT_TRUE(repository_->Unload("n").ok());
        }
        repository_->Index();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  stop = true;
  reader.join();
  EXPECT_EQ(*Ask("m"), 1);
  EXPECT_LE(watched_.num_alive, 2);
}

TEST_F(ModelRepositoryTest, PollingFollowsTheFolder) {
  config_.control = ModelControl::kPoll;
  config_.poll_us = int64_t{1'000'000'000'000};  // never by itself
  Write("m/1/value", "1");
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(watched_.num_loads, 1);
  repository_->Poll();
  EXPECT_EQ(watched_.num_loads, 1);

  Write("m/2/value", "22");
  Write("n/1/value", "3");
  repository_->Poll();
  EXPECT_THAT(Index(), ElementsAre("m/1 UNAVAILABLE unloaded", "m/2 READY",
                                   "n/1 READY"));

  Write("m/2/value", "bad");
  repository_->Poll();
  EXPECT_EQ(*Ask("m"), 22);
  const int num_loads = watched_.num_loads;
  repository_->Poll();  // what failed is tried again when it changes
  EXPECT_EQ(watched_.num_loads, num_loads);
  Write("m/2/value", "4");
  repository_->Poll();
  EXPECT_EQ(*Ask("m"), 4);

  Remove("m");
  repository_->Poll();
  EXPECT_FALSE(Ask("m").ok());
  EXPECT_THAT(Index(), ElementsAre("n/1 READY"));
  EXPECT_TRUE(repository_->Ready().ok());
  EXPECT_EQ(repository_->Load("n").code(), absl::StatusCode::kUnavailable);
}

TEST(LoaderThreadsTest, WorkGoesToTheFirstThreadThatIsIdle) {
  LoaderThreads threads(2);
  std::thread::id first;
  for (int i = 0; i < 20; ++i) {
    std::thread::id id;
    threads.Run([&] { id = std::this_thread::get_id(); });
    if (i == 0) first = id;
    EXPECT_EQ(id, first);
  }
  // Two side by side need two.
  Gate gate;
  std::thread other([&] { threads.Run([&] { gate.Pass(); }); });
  gate.AwaitWaiting();
  std::thread::id second;
  threads.Run([&] { second = std::this_thread::get_id(); });
  EXPECT_NE(second, first);
  gate.Open();
  other.join();
}

TEST_F(ModelRepositoryTest, PollingHasAThread) {
  config_.control = ModelControl::kPoll;
  config_.poll_us = 1'000;
  ASSERT_TRUE(Start().ok());
  Write("m/1/value", "5");
  while (models_.Versions("m").empty()) std::this_thread::yield();
  EXPECT_EQ(*Ask("m"), 5);
}

}  // namespace
}  // namespace quaver
