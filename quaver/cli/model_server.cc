// See model_server.h.
#include "quaver/cli/model_server.h"

#include <algorithm>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "quaver/backends/addsub_servable.h"
#include "quaver/backends/identity_servable.h"
#include "quaver/cli/bool_option.h"
#include "quaver/sched/single_flight.h"
#include "quaver/serve/counted_servable.h"
#include "quaver/serve/kserve.h"
#include "quaver/serve/kserve_datatype.h"
#include "quaver/serve/kserve_errors.h"
#include "quaver/serve/openai_embeddings.h"
#include "quaver/serve/operations.h"
#include "quaver/serve/tei_embed.h"

namespace quaver {
namespace {

// Handlers wait for their models: as many as a model's queue of 1,024 holds and
// what is computed, with health answered meanwhile.
constexpr int kModelThreads = 8;  // always
constexpr int kMaxModelThreads = 1'280;
constexpr int kMaxModelQueue = 64;  // beyond those

constexpr int kMaxEncoderBatch = 64;  // texts of a request
constexpr int kMaxTestBatch = 8;
constexpr int kMaxInputBytes = 1 << 30;  // that an option may ask for

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

// Both have to hold; nothing asks for nothing.
std::function<absl::Status()> Both(std::function<absl::Status()> one,
                                   std::function<absl::Status()> other) {
  return [one = std::move(one), other = std::move(other)] {
    if (one) RETURN_IF_ERROR(one());
    return other ? other() : absl::OkStatus();
  };
}

// 0 for a model without a batch dimension.
absl::Status AddOwnModel(const std::string& name, int max_batch_size,
                         const ServableRegistry& loaded, ServedModels& served,
                         ServableRegistry& asked) {
  auto found = loaded.Find(name);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  RETURN_IF_ERROR(found.status());
  std::shared_ptr<Servable> servable = *std::move(found);
  if (served.cache != nullptr) {
    servable = std::make_shared<SingleFlightServable>(std::move(servable));
    servable = std::make_shared<CachingServable>(
        std::move(servable), CachingServable::Name{name, 1}, *served.cache);
  }
  RETURN_IF_ERROR(served.models.Add(name, std::move(servable), max_batch_size));
  ASSIGN_OR_RETURN(auto model, served.models.Find(name));
  return asked.Add(name, std::make_shared<CountedServable>(std::move(model)));
}

}  // namespace

absl::StatusOr<ServableRegistry> AddOwnModels(const ServableRegistry& loaded,
                                              ServedModels& served) {
  ServableRegistry asked;
  RETURN_IF_ERROR(
      AddOwnModel("encoder", kMaxEncoderBatch, loaded, served, asked));
  RETURN_IF_ERROR(AddOwnModel("corrector", 0, loaded, served, asked));
  return asked;
}

void AddModelServerOptions(CLI::App& command, ModelServerOptions& options) {
  AddBoolOption(command, "--allow-http", options.allow_http,
                "Serve the models under KServe's protocol over HTTP");
  command.add_flag_callback(
      "--no-kserve",
      [&options] { options.allow_http = options.grpc.allow = false; },
      "Serve no models, neither over HTTP nor over gRPC");
  command
      .add_option("--http-port", options.http_port,
                  "Of KServe's protocol; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command.add_option("--http-address", options.http_address,
                     "To listen on for KServe's protocol; else --address");
  command
      .add_option("--http-max-input-size", options.max_input_bytes,
                  "Bytes of a request to a model over HTTP, decompressed")
      ->check(CLI::Range(1, kMaxInputBytes))
      ->capture_default_str();
  command
      .add_option("--server-name,--id", options.server_name,
                  "In KServe's metadata; some clients ask for triton")
      ->capture_default_str();
  AddGrpcOptions(command, options.grpc);
  AddRepositoryOptions(command, options.repository);
  command.add_flag("--test-models", options.test_models,
                   "Serve identity and addsub too, for tests of clients");
  command
      .add_option("--test-delay-ms", options.test_delay_ms,
                  "That a call of those takes")
      ->check(CLI::Range(0, 60'000))
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<ModelServer>> ModelServer::Start(
    const ModelServerOptions& options, ServedModels& served,
    std::function<absl::Status()> ready, Metrics& metrics) {
  std::unique_ptr<ModelServer> server(new ModelServer(options, served.models));
  if (options.test_models) {
    RETURN_IF_ERROR(AddTestModels(options.test_delay_ms, served.models));
  }
  KserveConfig config;
  config.server_name = options.server_name;
  config.server_version = QUAVER_VERSION;
  config.ready = std::move(ready);
  if (!options.repository.folders.empty()) {
    ASSIGN_OR_RETURN(
        server->repository_,
        OpenRepository(options.repository, served.cache, served.models));
    config.repository = server->repository_.get();
    if (options.repository.strict_readiness) {
      config.ready = Both(std::move(config.ready),
                          [raw = config.repository] { return raw->Ready(); });
    }
  }
  if (options.allow_http) {
    RETURN_IF_ERROR(server->StartHttp(config, metrics));
  }
  if (options.grpc.allow) {
    ASSIGN_OR_RETURN(server->grpc_,
                     StartGrpc(options.grpc, options.http.address, config,
                               served.models, metrics));
  }
  return server;
}

absl::Status ModelServer::StartHttp(const KserveConfig& config,
                                    Metrics& metrics) {
  RegisterKserve(router_, config, models_, bodies_);
  RegisterEmbeddings(router_, models_, bodies_);
  RegisterTeiEmbed(router_, models_, bodies_);
  CountRequests(router_, options_.access_log, metrics);
  HttpServerConfig http = options_.http.Config(options_.http_port);
  http.handler_threads = kModelThreads;
  http.max_handler_threads = kMaxModelThreads;
  http.max_queue = kMaxModelQueue;
  http.address = options_.address();
  http.max_body_bytes = options_.max_input_bytes;
  http.max_buffered_bytes =
      std::max(http.max_buffered_bytes, http.max_body_bytes);
  http.coded_bodies = true;
  http.on_refused = CountRefusals(metrics);
  http.write_error = [](int status, std::string_view message,
                        std::string_view /*field*/) {
    return KserveError(status, message);
  };
  auto started = HttpServer::Start(
      http, [this](HttpRequest& request) { return router_.Handle(request); });
  if (!started.ok()) return Annotate(started.status(), "--http-port");
  http_ = *std::move(started);
  return absl::OkStatus();
}

absl::Status ModelServer::LoadModels() {
  if (repository_ == nullptr) return absl::OkStatus();
  return StartRepository(options_.repository, *repository_);
}

std::string ModelServer::Greeting() const {
  std::string text;
  if (http_ != nullptr) {
    text +=
        fmt::format("KServe models are on {}://{}:{}/v2\n",
                    options_.http.scheme(), options_.address(), http_->port());
  }
  if (grpc_.server != nullptr) {
    const std::string& own = options_.grpc.address;
    text += fmt::format("KServe models are on grpc://{}:{}\n",
                        own.empty() ? options_.http.address : own,
                        grpc_.server->port());
  }
  return text;
}

void ModelServer::Stop(int deadline_ms) {
  std::thread grpc([&] {
    if (grpc_.server != nullptr) grpc_.server->Stop(deadline_ms);
  });
  if (http_ != nullptr) http_->Stop(deadline_ms);
  grpc.join();
}

}  // namespace quaver
