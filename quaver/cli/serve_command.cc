// quaver serve: the search bar as an HTTP server.
#include <pthread.h>

#include <csignal>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "quaver/api/access.h"
#include "quaver/api/product.h"
#include "quaver/base/log.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"
#include "quaver/ingest/live_index.h"
#include "quaver/net/http_server.h"
#include "quaver/serve/operations.h"

namespace quaver {
namespace {

constexpr int kStopDeadlineMs = 10'000;

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
  Router router;
  RegisterOperations(router,
                     {.access_log = options.access_log,
                      .ready = ReadyOnceReplayed(*index, stats.last_sequence)},
                     metrics);
  RETURN_IF_ERROR(RegisterRoutes(router, api, *bar, *index, metrics));
  HttpServerConfig config{.address = options.address, .port = options.port};
  config.handler_threads = options.threads;
  config.on_refused = CountRefusals(metrics);
  ASSIGN_OR_RETURN(const auto server,
                   HttpServer::Start(config, [&](HttpRequest& request) {
                     return router.Handle(request);
                   }));
  std::cout << fmt::format("Quaver answers on http://{}:{}/\n", options.address,
                           server->port())
            << std::flush;
  const int signal = signals.Wait();
  LogInfo("signal {}: finishing requests in flight", signal);
  server->Stop(kStopDeadlineMs);
  return absl::OkStatus();
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
  command->callback(
      [&action, options] { action = [options] { return Serve(*options); }; });
}

}  // namespace quaver
