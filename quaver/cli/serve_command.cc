// quaver serve: the search bar and its models as HTTP servers.
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "quaver/api/access.h"
#include "quaver/api/product.h"
#include "quaver/api/search_servable.h"
#include "quaver/base/log.h"
#include "quaver/cli/bool_option.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/lifecycle.h"
#include "quaver/cli/log_options.h"
#include "quaver/cli/model_server.h"
#include "quaver/cli/runtime.h"
#include "quaver/cli/unfollowed_options.h"
#include "quaver/ingest/live_index.h"
#include "quaver/net/http_server.h"
#include "quaver/serve/operations.h"

namespace quaver {
namespace {

constexpr int kExitGraceMs = 2'000;  // after the exit timeout, to tidy up

struct ServeOptions {
  std::string index;
  std::string model = DefaultModelFolder();
  std::string corrector = DefaultCorrectorFolder();
  int port = 8080;
  int threads = 0;
  int threads_per_instance = 1;
  std::string api_key_file;
  std::string cors_origin;
  ModelServerOptions models;
  LogOptions log;
  std::vector<std::string> unfollowed;
  bool allow_metrics = true;
  std::string metrics_address;  // empty: that of all ports
  int metrics_port = 8002;
  StopOptions stop;

  Instances instances() const { return {threads, threads_per_instance}; }
  const std::string& admin_address() const {
    return metrics_address.empty() ? models.http.address : metrics_address;
  }
};

// Not ready while changes that were committed before the start are replayed:
// an instance that was down answers as its peers do before it gets queries.
std::function<absl::Status()> ReadyOnceReplayed(const LiveIndex& index,
                                                uint64_t committed) {
  return [&index, committed] {
    const uint64_t searchable = index.snapshot()->sequence;
    if (searchable >= committed) return absl::OkStatus();
    return absl::UnavailableError(
        fmt::format("{} changes are being replayed", committed - searchable));
  };
}

// What models still do cannot be interrupted, and what they use cannot go
// before they end. So the process ends then, whatever is left; nothing that a
// client was promised is lost, as with a kill.
void ExitAfter(int milliseconds) {
  std::thread([milliseconds] {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    LogWarning("requests are not done in time: the end");
    std::_Exit(0);
  }).detach();
}

// Side by side, so that both finish within the deadline.
void StopServers(HttpServer& server, ModelServer* models, int deadline_ms) {
  std::thread other([models, deadline_ms] {
    if (models != nullptr) models->Stop(deadline_ms);
  });
  server.Stop(deadline_ms);
  other.join();
}

absl::StatusOr<std::unique_ptr<HttpServer>> StartHttp(
    const ServeOptions& options, const Router& router, Metrics& metrics) {
  HttpServerConfig config = options.models.http.Config(options.port);
  config.handler_threads = options.threads;
  config.on_refused = CountRefusals(metrics);
  return HttpServer::Start(config, [&router](HttpRequest& request) {
    return router.Handle(request);
  });
}

// Metrics and the dashboard, which answer until all else has stopped.
struct AdminServer {
  Router router;
  std::unique_ptr<HttpServer> http;
};

absl::StatusOr<std::unique_ptr<AdminServer>> StartAdmin(
    const ServeOptions& options, const std::function<absl::Status()>& ready,
    Metrics& metrics) {
  auto admin = std::make_unique<AdminServer>();
  RegisterOperations(admin->router, {.ready = ready}, metrics);
  RegisterDashboard(admin->router);
  const HttpServerConfig config{.address = options.admin_address(),
                                .port = options.metrics_port,
                                .handler_threads = 1};
  auto started =
      HttpServer::Start(config, [raw = admin.get()](HttpRequest& request) {
        return raw->router.Handle(request);
      });
  if (!started.ok()) return Annotate(started.status(), "--metrics-port");
  admin->http = *std::move(started);
  return admin;
}

// From the start of the models' server to the end of all. `server` answers
// already.
absl::Status RunServers(const ServeOptions& options, Lifecycle& lifecycle,
                        ServedModels& served,
                        const std::function<absl::Status()>& ready,
                        Metrics& metrics, HttpServer& server) {
  std::unique_ptr<AdminServer> admin;
  if (options.allow_metrics) {
    ASSIGN_OR_RETURN(admin, StartAdmin(options, ready, metrics));
  }
  std::unique_ptr<ModelServer> models;
  if (options.models.allowed()) {
    ASSIGN_OR_RETURN(
        models, ModelServer::Start(options.models, served, ready, metrics));
    RETURN_IF_ERROR(models->LoadModels());
  }
  lifecycle.Started();
  std::cout << fmt::format("Quaver answers on {}://{}:{}/\n",
                           options.models.http.scheme(),
                           options.models.http.address, server.port());
  if (models != nullptr) std::cout << models->Greeting();
  if (admin != nullptr) {
    std::cout << fmt::format("Metrics and the dashboard are on http://{}:{}/\n",
                             options.admin_address(), admin->http->port());
  }
  std::cout << std::flush;
  lifecycle.AwaitStop(options.stop);
  const int deadline_ms = 1'000 * options.stop.exit_timeout_secs;
  ExitAfter(deadline_ms + kExitGraceMs);
  StopServers(server, models.get(), deadline_ms);
  return absl::OkStatus();
}

// Without an index: models, health and metrics.
absl::Status ServeModels(const ServeOptions& options) {
  Lifecycle lifecycle;
  const auto ready = lifecycle.Ready();
  ASSIGN_OR_RETURN(auto cache, MakeCache(options.models.repository));
  Metrics metrics;
  ServedModels served(std::move(cache), metrics);
  Router router;
  RegisterOperations(router,
                     {.access_log = options.models.access_log, .ready = ready},
                     metrics);
  ASSIGN_OR_RETURN(const auto server, StartHttp(options, router, metrics));
  return RunServers(options, lifecycle, served, ready, metrics, *server);
}

absl::Status Serve(const ServeOptions& options) {
  Lifecycle lifecycle;
  ApiConfig api{.cors_origin = options.cors_origin};
  if (!options.api_key_file.empty()) {
    ASSIGN_OR_RETURN(api.api_keys, LoadApiKeys(options.api_key_file));
  }
  ASSIGN_OR_RETURN(const ModelIdentity model, IdentifyModel(options.model));
  ASSIGN_OR_RETURN(const auto encoder,
                   LoadEncoder(options.model, options.instances()));
  ASSIGN_OR_RETURN(auto cache, MakeCache(options.models.repository));
  Metrics metrics;
  ServedModels served(std::move(cache), metrics);
  ASSIGN_OR_RETURN(const auto index,
                   LiveIndex::Open({.folder = options.index, .model = model},
                                   encoder, metrics));
  ServableRegistry loaded;
  RETURN_IF_ERROR(loaded.Add("encoder", encoder));
  ASSIGN_OR_RETURN(
      SearchConfig search,
      LoadCorrector(options.corrector, options.instances(), loaded));
  ASSIGN_OR_RETURN(const ServableRegistry servables,
                   AddOwnModels(loaded, served));
  ASSIGN_OR_RETURN(const auto bar,
                   SearchBar::Create(std::move(search), servables,
                                     [&] { return index->snapshot(); }));
  RETURN_IF_ERROR(served.models.Add(
      "search", std::make_shared<SearchServable>(*bar, metrics), 0));
  ASSIGN_OR_RETURN(const auto search_model, served.models.Find("search"));
  api.search_statistics = &search_model->statistics;
  ASSIGN_OR_RETURN(const IndexStats stats, index->Stats());
  const auto ready =
      lifecycle.Ready(ReadyOnceReplayed(*index, stats.last_sequence));
  Router router;
  RegisterOperations(router,
                     {.access_log = options.models.access_log, .ready = ready},
                     metrics);
  RETURN_IF_ERROR(RegisterRoutes(router, api, *bar, *index, metrics));
  ASSIGN_OR_RETURN(const auto server, StartHttp(options, router, metrics));
  return RunServers(options, lifecycle, served, ready, metrics, *server);
}

}  // namespace

void AddServeCommand(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("serve", "Serve an index and the search page");
  const auto options = std::make_shared<ServeOptions>();
  command->add_option("--index", options->index,
                      "Folder made by ingest; models alone are served without "
                      "it, from --model-repository");
  command
      ->add_option("--model", options->model,
                   "Plan of the encoder, or its folder, which is compiled once")
      ->capture_default_str();
  command
      ->add_option("--corrector", options->corrector,
                   "Plan or folder of the spelling model; none: without")
      ->capture_default_str();
  command->add_option("--port", options->port, "0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command
      ->add_option("--threads", options->threads,
                   "Requests worked on at once; 0: one a core")
      ->check(CLI::Range(0, kMaxThreads))
      ->capture_default_str();
  command
      ->add_option("--threads-per-instance", options->threads_per_instance,
                   "Cores that compute one embedding or correction together: "
                   "quicker while others are idle")
      ->check(CLI::Range(1, kMaxThreads))
      ->capture_default_str();
  command->add_option("--api-key-file", options->api_key_file,
                      "Keys that may write, one a line; without it nobody may");
  command->add_option("--cors-origin", options->cors_origin,
                      "Origin whose pages may call the API, or *");
  command->add_flag("--access-log", options->models.access_log,
                    "Log a line a request");
  AddLogOptions(*command, options->log);
  AddUnfollowedOptions(*command, options->unfollowed);
  AddHttpOptions(*command, options->models.http);
  AddModelServerOptions(*command, options->models);
  AddBoolOption(*command, "--allow-metrics", options->allow_metrics,
                "Serve metrics and a dashboard");
  command->add_flag("!--no-metrics", options->allow_metrics, "Do not");
  command->add_option("--metrics-address", options->metrics_address,
                      "To listen on for those; else --address");
  command
      ->add_option("--metrics-port", options->metrics_port,
                   "Of metrics and dashboard, plain HTTP; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  AddStopOptions(*command, options->stop);
  command->callback([&action, options] {
    if (options->index.empty() && options->models.repository.folders.empty()) {
      throw CLI::RequiredError("--index or --model-repository");
    }
    action = [options] {
      SetLog(options->log);
      WarnOfUnfollowed(options->unfollowed);
      AllowOpenFiles();
      return options->index.empty() ? ServeModels(*options) : Serve(*options);
    };
  });
}

}  // namespace quaver
