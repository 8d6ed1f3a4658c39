// Tests of what an ensemble's configuration is refused for, and what it
// becomes.
#include "quaver/sched/internal/ensemble_graph.h"

#include <functional>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Map = std::map<std::string, std::string>;

TensorSpec Int(const std::string& name, std::vector<int64_t> shape = {-1},
               bool optional = false) {
  return {name, Datatype::kInt32, std::move(shape), optional};
}

// IN -> a -> mid -> b -> OUT.
class EnsembleGraphTest : public testing::Test {
 protected:
  absl::StatusOr<EnsembleGraph> Compile() const {
    return CompileEnsemble(config_, members_);
  }
  // Of the chain with something changed.
  std::string Refusal(const std::function<void()>& spoil) {
    const EnsembleConfig config = config_;
    const std::vector<MemberSpecs> members = members_;
    spoil();
    const absl::Status status = Compile().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    config_ = config;
    members_ = members;
    return Message(status);
  }

  EnsembleConfig config_ = {
      .name = "e",
      .inputs = {Int("IN")},
      .outputs = {Int("OUT")},
      .steps = {{"b", -1, Map{{"X", "mid"}}, Map{{"Y", "OUT"}}},
                {"a", -1, Map{{"X", "IN"}}, Map{{"Y", "mid"}}}}};
  std::vector<MemberSpecs> members_ = {{{Int("X")}, {Int("Y")}},
                                       {{Int("X")}, {Int("Y")}}};
  EnsembleStep& b() { return config_.steps[0]; }
  EnsembleStep& a() { return config_.steps[1]; }
};

TEST_F(EnsembleGraphTest, KnowsWhoTakesWhat) {
  const auto graph = Compile();
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ(graph->wires.size(), 3u);
  EXPECT_EQ(graph->FindInput("IN"), 0u);
  EXPECT_EQ(graph->FindInput("mid"), std::nullopt);
  EXPECT_THAT(graph->wires[0].takers, ElementsAre(1));
  EXPECT_EQ(graph->wires[0].maker, std::nullopt);
  EXPECT_THAT(graph->outputs, ElementsAre(1));
  EXPECT_TRUE(graph->wires[1].is_output);
  EXPECT_EQ(graph->wires[2].maker, 1u);
  EXPECT_FALSE(graph->has_branches);
}

TEST_F(EnsembleGraphTest, SeesBranches) {
  config_.steps.push_back({"c", -1, Map{{"X", "IN"}}, Map{{"Y", "MORE"}}});
  config_.outputs.push_back(Int("MORE"));
  members_.push_back({{Int("X")}, {Int("Y")}});
  const auto graph = Compile();
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_TRUE(graph->has_branches);
}

TEST_F(EnsembleGraphTest, RefusesUnknownNames) {
  EXPECT_THAT(Refusal([&] { b().input_map = Map{{"Z", "mid"}}; }),
              HasSubstr("ensemble 'e': step 1 ('b'): the model has no input "
                        "'Z' for tensor 'mid'"));
  EXPECT_THAT(Refusal([&] { a().output_map = Map{{"Z", "mid"}}; }),
              HasSubstr("step 2 ('a'): the model has no output 'Z' for tensor "
                        "'mid'"));
  EXPECT_THAT(Refusal([&] { b().input_map = Map{{"X", "dim"}}; }),
              HasSubstr("step 1 ('b'): input 'X' takes tensor 'dim', which "
                        "nothing makes"));
  EXPECT_THAT(Refusal([&] { config_.outputs.push_back(Int("NONE")); }),
              HasSubstr("no step makes output 'NONE'"));
}

TEST_F(EnsembleGraphTest, RefusesWhatIsMissing) {
  EXPECT_THAT(Refusal([&] { config_.steps.clear(); }),
              HasSubstr("ensemble 'e': it has no steps"));
  EXPECT_THAT(Refusal([&] { b().input_map.clear(); }),
              HasSubstr("step 1 ('b'): nothing is mapped to input 'X'"));
  EXPECT_THAT(Refusal([&] { config_.inputs[0].optional = true; }),
              HasSubstr("step 2 ('a'): the model needs input 'X', but tensor "
                        "'IN' is optional"));
  members_[0].inputs.push_back(Int("MORE", {-1}, /*optional=*/true));
  EXPECT_TRUE(Compile().ok());
}

TEST_F(EnsembleGraphTest, RefusesWhatIsThereTwice) {
  EXPECT_THAT(Refusal([&] { a().output_map = Map{{"Y", "OUT"}}; }),
              HasSubstr("step 2 ('a'): output 'Y' makes tensor 'OUT', which is "
                        "an input or made already"));
  EXPECT_THAT(Refusal([&] { a().output_map = Map{{"Y", "IN"}}; }),
              HasSubstr("tensor 'IN', which is an input or made already"));
  EXPECT_THAT(Refusal([&] { config_.inputs.push_back(Int("IN")); }),
              HasSubstr("input 'IN' is there twice"));
  EXPECT_THAT(Refusal([&] { config_.outputs.push_back(Int("OUT")); }),
              HasSubstr("output 'OUT' is there twice"));
}

TEST_F(EnsembleGraphTest, RefusesWhatNothingTakes) {
  EXPECT_THAT(Refusal([&] { config_.outputs.clear(); }),
              HasSubstr("step 1 ('b'): nothing takes tensor 'OUT'"));
  EXPECT_THAT(Refusal([&] { config_.inputs.push_back(Int("MORE")); }),
              HasSubstr("ensemble 'e': nothing takes tensor 'MORE'"));
}

TEST_F(EnsembleGraphTest, RefusesSidesThatDiffer) {
  EXPECT_THAT(
      Refusal([&] { config_.outputs[0].datatype = Datatype::kFp32; }),
      HasSubstr("step 1 ('b'): ensemble output 'OUT': its two sides have "
                "different datatypes"));
  EXPECT_THAT(
      Refusal([&] { members_[0].inputs[0].datatype = Datatype::kBytes; }),
      HasSubstr("step 1 ('b'): input 'X', tensor 'mid': its two sides have "
                "different datatypes"));
  EXPECT_THAT(Refusal([&] { members_[0].inputs[0].shape = {-1, 2}; }),
              HasSubstr("step 1 ('b'): input 'X', tensor 'mid': its two sides "
                        "have shapes [-1] and [-1, 2]"));
  members_[0].inputs[0].shape = {-1, 1};  // the same as [-1]
  EXPECT_TRUE(Compile().ok());
  members_[1].outputs[0].shape = {8};
  EXPECT_TRUE(Compile().ok());
}

TEST_F(EnsembleGraphTest, RefusesCycles) {
  members_[1].inputs.push_back(Int("BACK"));
  members_[0].outputs.push_back(Int("BACK"));
  EXPECT_THAT(Refusal([&] {
                a().input_map["BACK"] = "back";
                b().output_map["BACK"] = "back";
              }),
              HasSubstr("step 1 ('b'): tensor 'mid', which it takes, comes of "
                        "a cycle"));
}

}  // namespace
}  // namespace quaver
