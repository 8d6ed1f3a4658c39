// quaver bench load: requests at a given rate to a server.
#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "quaver/analyze/load.h"
#include "quaver/base/file.h"
#include "quaver/cli/commands.h"

namespace quaver {
namespace {

struct LoadOptions {
  LoadConfig load;
  std::string target;
  std::string bodies;
  std::string targets;
  bool json = false;
};

absl::StatusOr<std::vector<std::string>> ReadLines(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) lines.push_back(std::move(line));
  }
  if (lines.empty()) {
    return absl::InvalidArgumentError(path + ": there is no line");
  }
  return lines;
}

absl::Status ReadRequests(LoadOptions& options) {
  std::vector<LoadRequest>& requests = options.load.requests;
  if (options.bodies.empty() && options.targets.empty()) {
    requests.push_back({"GET", options.target, ""});
    return absl::OkStatus();
  }
  if (!options.bodies.empty()) {
    ASSIGN_OR_RETURN(auto bodies, ReadLines(options.bodies));
    for (std::string& body : bodies) {
      requests.push_back({"POST",
                          options.target,
                          std::move(body),
                          {{"Content-Type", "application/json"}}});
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(auto targets, ReadLines(options.targets));
  for (std::string& target : targets) {
    requests.push_back({"GET", std::move(target), ""});
  }
  return absl::OkStatus();
}

nlohmann::ordered_json ToJson(const LoadConfig& load,
                              const LoadReport& report) {
  nlohmann::ordered_json statuses = nlohmann::ordered_json::object();
  for (const auto& [status, count] : report.by_status) {
    statuses[std::to_string(status)] = count;
  }
  return {{"rate", load.rate},
          {"seconds", load.seconds},
          {"connections", load.connections},
          {"sent", report.sent},
          {"succeeded", report.succeeded},
          {"by_status", std::move(statuses)},
          {"errors", report.errors},
          {"achieved_per_s", report.achieved_per_s},
          {"p50_ms", report.p50_ms},
          {"p90_ms", report.p90_ms},
          {"p99_ms", report.p99_ms},
          {"max_ms", report.max_ms},
          {"late_p99_ms", report.late_p99_ms}};
}

void Print(const LoadConfig& load, const LoadReport& report) {
  std::cout << fmt::format(
      "{:.0f} requests/s wanted, {:.0f} answered well; {} sent, {} failed\n"
      "p50 {:.2f} ms, p90 {:.2f}, p99 {:.2f}, longest {:.2f}; left late by up "
      "to {:.2f} ms (p99)\n",
      load.rate, report.achieved_per_s, report.sent,
      report.sent - report.succeeded, report.p50_ms, report.p90_ms,
      report.p99_ms, report.max_ms, report.late_p99_ms);
  for (const auto& [status, count] : report.by_status) {
    if (status != 200)
      std::cout << fmt::format("status {}: {}\n", status, count);
  }
  for (const auto& [reason, count] : report.errors) {
    std::cout << fmt::format("{}: {}\n", reason, count);
  }
}

absl::Status BenchLoad(LoadOptions options) {
  RETURN_IF_ERROR(ReadRequests(options));
  ASSIGN_OR_RETURN(const LoadReport report, RunLoad(options.load));
  if (options.json) {
    std::cout << ToJson(options.load, report).dump() << "\n";
  } else {
    Print(options.load, report);
  }
  return absl::OkStatus();
}

}  // namespace

void AddBenchLoadCommand(CLI::App& bench, Action& action) {
  CLI::App* command = bench.add_subcommand(
      "load", "Ask a server at a given rate, whatever it answers (open loop)");
  const auto options = std::make_shared<LoadOptions>();
  LoadConfig& load = options->load;
  command->add_option("--address", load.address, "A number")
      ->capture_default_str();
  command->add_option("--port", load.port, "Of the server")
      ->required()
      ->check(CLI::Range(1, 65535));
  command
      ->add_option("--target", options->target,
                   "Path and query, as /v2/models/encoder/infer")
      ->default_str("/")
      ->default_val("/");
  auto* bodies = command->add_option("--bodies", options->bodies,
                                     "JSON to POST to it, one a line");
  command
      ->add_option("--targets", options->targets,
                   "Targets to GET instead of it, one a line")
      ->excludes(bodies);
  command->add_option("--rate", load.rate, "Requests a second")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seconds", load.seconds, "That are counted")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--warmup-seconds", load.warmup_seconds, "Before them")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--connections", load.connections,
                   "Requests in flight, at most")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_option("--seed", load.seed, "Of the arrivals")
      ->capture_default_str();
  command->add_flag("--json", options->json, "One line of JSON");
  command->callback([&action, options] {
    action = [options] { return BenchLoad(*options); };
  });
}

}  // namespace quaver
