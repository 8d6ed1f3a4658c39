// quaver serve: the search bar and its models as HTTP servers.
#include <pthread.h>

#include <csignal>
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
#include "quaver/backends/addsub_servable.h"
#include "quaver/backends/identity_servable.h"
#include "quaver/base/log.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"
#include "quaver/ingest/live_index.h"
#include "quaver/net/http_server.h"
#include "quaver/serve/kserve.h"
#include "quaver/serve/kserve_datatype.h"
#include "quaver/serve/kserve_errors.h"
#include "quaver/serve/openai_embeddings.h"
#include "quaver/serve/operations.h"

namespace quaver {
namespace {

constexpr int kStopDeadlineMs = 10'000;

// Threads of the model server that wait for models: more than models compute
// at once, so that batches can form and health is answered meanwhile.
constexpr int kModelThreads = 64;
constexpr int kMaxEncoderBatch = 64;  // texts of a request
constexpr int kMaxTestBatch = 8;

struct ServeOptions {
  std::string index;
  std::string model = DefaultModelFolder();
  std::string corrector = DefaultCorrectorFolder();
  std::string address = "127.0.0.1";
  int port = 8080;
  int threads = 0;
  std::string api_key_file;
  std::string cors_origin;
  bool access_log = false;
  bool allow_http = true;
  int http_port = 8000;
  std::string server_name = "quaver";
  bool test_models = false;
  int test_delay_ms = 0;
};

// SIGINT and SIGTERM, blocked in all threads made after construction.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  int Wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
    return signal;
  }

 private:
  sigset_t signals_;
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

// "identity" for BYTES, "identity_fp32" and so on for the others, "addsub".
absl::Status AddTestModels(int delay_ms, KserveModels& models) {
  const int64_t delay_us = int64_t{1'000} * delay_ms;
  for (int i = 0; i <= static_cast<int>(Datatype::kBytes); ++i) {
    IdentityConfig config;
    config.datatype = static_cast<Datatype>(i);
    config.shape = {-1, -1};
    config.delay_us = delay_us;
    std::string name = "identity";
    if (config.datatype != Datatype::kBytes) {
      name += "_" + ToLower(DatatypeName(config.datatype));
    }
    RETURN_IF_ERROR(models.Add(name, std::make_shared<IdentityServable>(config),
                               kMaxTestBatch));
  }
  return models.Add(
      "addsub",
      std::make_shared<AddSubServable>(AddSubConfig{.delay_us = delay_us}),
      kMaxTestBatch);
}

// The models under KServe's protocol, on a port of their own.
struct ModelServer {
  explicit ModelServer(Metrics& metrics) : models(metrics) {}

  KserveModels models;
  BodyReader bodies;
  Router router{KserveRouterErrors()};
  std::unique_ptr<HttpServer> http;
};

absl::StatusOr<std::unique_ptr<ModelServer>> StartModelServer(
    const ServeOptions& options, const ServableRegistry& servables,
    std::function<absl::Status()> ready, Metrics& metrics) {
  auto server = std::make_unique<ModelServer>(metrics);
  ASSIGN_OR_RETURN(const auto encoder, servables.Find("encoder"));
  RETURN_IF_ERROR(server->models.Add("encoder", encoder, kMaxEncoderBatch));
  if (const auto corrector = servables.Find("corrector"); corrector.ok()) {
    RETURN_IF_ERROR(server->models.Add("corrector", *corrector, 0));
  }
  if (options.test_models) {
    RETURN_IF_ERROR(AddTestModels(options.test_delay_ms, server->models));
  }
  KserveConfig config;
  config.server_name = options.server_name;
  config.server_version = QUAVER_VERSION;
  config.ready = std::move(ready);
  RegisterKserve(server->router, config, server->models, server->bodies);
  RegisterEmbeddings(server->router, server->models, server->bodies);
  CountRequests(server->router, options.access_log, metrics);
  HttpServerConfig http{.address = options.address,
                        .port = options.http_port,
                        .handler_threads = kModelThreads};
  http.max_body_bytes = BodyReader::kMaxBytes;
  http.coded_bodies = true;
  http.on_refused = CountRefusals(metrics);
  auto started =
      HttpServer::Start(http, [raw = server.get()](HttpRequest& request) {
        return raw->router.Handle(request);
      });
  if (!started.ok()) return Annotate(started.status(), "--http-port");
  server->http = *std::move(started);
  return server;
}

// Side by side, so that both finish within the deadline.
void StopServers(HttpServer& server, ModelServer* models) {
  std::thread other([models] {
    if (models != nullptr) models->http->Stop(kStopDeadlineMs);
  });
  server.Stop(kStopDeadlineMs);
  other.join();
}

absl::Status Serve(const ServeOptions& options) {
  const StopSignals signals;
  ApiConfig api{.cors_origin = options.cors_origin};
  if (!options.api_key_file.empty()) {
    ASSIGN_OR_RETURN(api.api_keys, LoadApiKeys(options.api_key_file));
  }
  ASSIGN_OR_RETURN(const ModelIdentity model, IdentifyModel(options.model));
  ASSIGN_OR_RETURN(const auto encoder,
                   LoadEncoder(options.model, options.threads));
  Metrics metrics;
  ASSIGN_OR_RETURN(const auto index,
                   LiveIndex::Open({.folder = options.index, .model = model},
                                   encoder, metrics));
  ServableRegistry servables;
  RETURN_IF_ERROR(servables.Add("encoder", encoder));
  ASSIGN_OR_RETURN(
      SearchConfig search,
      LoadCorrector(options.corrector, options.threads, servables));
  ASSIGN_OR_RETURN(const auto bar,
                   SearchBar::Create(std::move(search), servables,
                                     [&] { return index->snapshot(); }));
  ASSIGN_OR_RETURN(const IndexStats stats, index->Stats());
  const auto ready = ReadyOnceReplayed(*index, stats.last_sequence);
  Router router;
  RegisterOperations(router, {.access_log = options.access_log, .ready = ready},
                     metrics);
  RETURN_IF_ERROR(RegisterRoutes(router, api, *bar, *index, metrics));
  HttpServerConfig config{.address = options.address, .port = options.port};
  config.handler_threads = options.threads;
  config.on_refused = CountRefusals(metrics);
  ASSIGN_OR_RETURN(const auto server,
                   HttpServer::Start(config, [&](HttpRequest& request) {
                     return router.Handle(request);
                   }));
  std::unique_ptr<ModelServer> models;
  if (options.allow_http) {
    ASSIGN_OR_RETURN(models,
                     StartModelServer(options, servables, ready, metrics));
  }
  std::cout << fmt::format("Quaver answers on http://{}:{}/\n", options.address,
                           server->port());
  if (models != nullptr) {
    std::cout << fmt::format("KServe models are on http://{}:{}/v2\n",
                             options.address, models->http->port());
  }
  std::cout << std::flush;
  const int signal = signals.Wait();
  LogInfo("signal {}: finishing requests in flight", signal);
  StopServers(*server, models.get());
  return absl::OkStatus();
}

void AddModelOptions(CLI::App& command, ServeOptions& options) {
  command.add_flag("--allow-http,!--no-kserve", options.allow_http,
                   "Serve the models under KServe's protocol, on by default");
  command
      .add_option("--http-port", options.http_port,
                  "Of KServe's protocol; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command
      .add_option("--server-name", options.server_name,
                  "In KServe's metadata; some clients ask for triton")
      ->capture_default_str();
  command.add_flag("--test-models", options.test_models,
                   "Serve identity and addsub too, for tests of clients");
  command
      .add_option("--test-delay-ms", options.test_delay_ms,
                  "That a call of those takes")
      ->check(CLI::Range(0, 60'000))
      ->capture_default_str();
}

}  // namespace

void AddServeCommand(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("serve", "Serve an index and the search page");
  const auto options = std::make_shared<ServeOptions>();
  command->add_option("--index", options->index, "Folder made by ingest")
      ->required();
  command
      ->add_option("--model", options->model,
                   "Plan of the encoder, or its folder, which is compiled once")
      ->capture_default_str();
  command
      ->add_option("--corrector", options->corrector,
                   "Plan or folder of the spelling model; none: without")
      ->capture_default_str();
  command->add_option("--address", options->address, "To listen on")
      ->capture_default_str();
  command->add_option("--port", options->port, "0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command
      ->add_option("--threads", options->threads,
                   "Requests worked on at once; 0: one a core")
      ->check(CLI::Range(0, kMaxThreads))
      ->capture_default_str();
  command->add_option("--api-key-file", options->api_key_file,
                      "Keys that may write, one a line; without it nobody may");
  command->add_option("--cors-origin", options->cors_origin,
                      "Origin whose pages may call the API, or *");
  command->add_flag("--access-log", options->access_log,
                    "Log a line a request");
  AddModelOptions(*command, *options);
  command->callback(
      [&action, options] { action = [options] { return Serve(*options); }; });
}

}  // namespace quaver
