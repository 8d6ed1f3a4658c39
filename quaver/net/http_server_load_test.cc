// Tests of the server when much is asked of it at once, and of its end.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/net/http_client.h"
#include "quaver/net/http_server.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;
using Clients = std::vector<std::unique_ptr<HttpClient>>;

std::unique_ptr<HttpClient> Connect(const HttpServer& server) {
  return HttpClient::Connect("127.0.0.1", server.port(), 20'000).value();
}

// Threads that have run a handler and not ended.
std::atomic<int> num_threads = 0;

struct CountedThread {
  CountedThread() { ++num_threads; }
  ~CountedThread() { --num_threads; }
};

void CountThisThread() { thread_local const CountedThread counted; }

HttpResponse Answer(HttpRequest& request) {
  return {.content_type = "text/plain", .headers = {}, .body = request.path};
}

// A server whose handlers of /slow wait for Release().
class Slow {
 public:
  Slow(HttpServerConfig config, int num_slow) : entered_(num_slow) {
    server_ = HttpServer::Start(config, [this](HttpRequest& request) {
                CountThisThread();
                if (request.path == "/slow") {
                  entered_.count_down();
                  released_.wait();
                }
                return Answer(request);
              }).value();
  }
  ~Slow() { Release(); }

  HttpServer& server() { return *server_; }
  // Returns when all are with their handlers.
  Clients Ask(int num_slow) {
    Clients clients;
    for (int i = 0; i < num_slow; ++i) {
      clients.push_back(Connect(*server_));
      EXPECT_TRUE(
          clients.back()->Write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").ok());
    }
    entered_.wait();
    return clients;
  }
  void Release() {
    if (!released_.try_wait()) released_.count_down();
  }

 private:
  std::latch entered_;
  std::latch released_{1};
  std::unique_ptr<HttpServer> server_;
};

TEST(HttpServerLoadTest, HandlersThatWaitKeepNobodyWaiting) {
  Slow slow({.handler_threads = 2, .max_handler_threads = 100}, 70);
  const Clients clients = slow.Ask(70);
  EXPECT_EQ(Connect(slow.server())->Get("/health")->status, 200);
  slow.Release();
  for (const auto& client : clients) EXPECT_EQ(client->Read()->status, 200);
}

TEST(HttpServerLoadTest, ThreadsStartWhenNeededAndEnd) {
  constexpr int kAlways = 3;  // handler_threads and io_threads
  Slow slow(
      {.handler_threads = 2, .max_handler_threads = 100, .thread_idle_ms = 20},
      30);
  const auto client = Connect(slow.server());
  for (int i = 0; i < 200; ++i) EXPECT_EQ(client->Get("/")->status, 200);
  EXPECT_LE(num_threads, kAlways);
  const Clients clients = slow.Ask(30);
  EXPECT_GE(num_threads, 30);
  slow.Release();
  for (const auto& one : clients) EXPECT_EQ(one->Read()->status, 200);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (num_threads > kAlways && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_LE(num_threads, kAlways);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client->Get("/")->status, 200);
}

TEST(HttpServerLoadTest, BeyondTheMostThreadsAndTheQueueIs503) {
  Slow slow({.handler_threads = 1, .max_handler_threads = 3, .max_queue = 0},
            3);
  const Clients clients = slow.Ask(3);
  const auto response = Connect(slow.server())->Get("/next");
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(*FindField(response->headers, "retry-after"), "1");
  slow.Release();
  for (const auto& client : clients) EXPECT_EQ(client->Read()->status, 200);
}

TEST(HttpServerLoadTest, FewerThreadsThanAlwaysIsRefused) {
  const auto server = HttpServer::Start(
      {.handler_threads = 4, .max_handler_threads = 3}, Answer);
  EXPECT_THAT(Message(server.status()), HasSubstr("at least 4, not 3"));
}

TEST(HttpServerLoadTest, ErrorsAreWrittenAsConfigured) {
  HttpServerConfig config{.handler_threads = 1, .max_queue = 0};
  config.write_error = [](int status, std::string_view message,
                          std::string_view field) {
    return HttpResponse{.status = status,
                        .headers = {},
                        .body = fmt::format("{} {}", message, field)};
  };
  Slow slow(config, 1);
  const auto client = Connect(slow.server());
  ASSERT_TRUE(client->Write("GET / HTTP/1.1\r\n\r\n").ok());
  auto response = client->Read();
  EXPECT_EQ(response->status, 400);
  EXPECT_EQ(response->body, "a request names its host once host");
  const Clients clients = slow.Ask(1);
  response = Connect(slow.server())->Get("/next");
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->body, "too many requests at once: try again ");
  EXPECT_EQ(*FindField(response->headers, "retry-after"), "1");
}

// The client of a request whose body has yet to come.
std::unique_ptr<HttpClient> Announce(const HttpServer& server,
                                     std::string_view field) {
  auto client = Connect(server);
  EXPECT_TRUE(client
                  ->Write(fmt::format("POST / HTTP/1.1\r\nHost: a\r\n"
                                      "Expect: 100-continue\r\n{}\r\n\r\n",
                                      field))
                  .ok());
  EXPECT_EQ(client->Read()->status, 100);
  return client;
}

int StatusOfChunk(HttpClient& client, size_t num_bytes) {
  EXPECT_TRUE(client
                  .Write(fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", num_bytes,
                                     std::string(num_bytes, 'x')))
                  .ok());
  return client.Read()->status;
}

TEST(HttpServerLoadTest, ChunkedBodiesCountWithWhatHasCome) {
  const auto server = HttpServer::Start({.handler_threads = 1,
                                         .max_body_bytes = 1'000,
                                         .max_buffered_bytes = 1'500},
                                        Answer)
                          .value();
  Clients clients;
  for (size_t i = 0; i < 10; ++i) {
    clients.push_back(Announce(*server, "Transfer-Encoding: chunked"));
  }
  const auto large = Announce(*server, "Content-Length: 1000");
  EXPECT_EQ(StatusOfChunk(*clients[0], 501), 503);
  for (size_t i = 1; i < 10; ++i)
    EXPECT_EQ(StatusOfChunk(*clients[i], 500), 200);
  ASSERT_TRUE(large->Write(std::string(1'000, 'x')).ok());
  EXPECT_EQ(large->Read()->status, 200);
}

TEST(HttpServerLoadTest, AtTheDeadlineHandlersAreTold) {
  std::latch begun(1);
  std::atomic<bool> told = false;
  const auto server =
      HttpServer::Start({.handler_threads = 1}, [&](HttpRequest& request) {
        begun.count_down();
        const auto end =
            std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!*request.gone && std::chrono::steady_clock::now() < end) {
          std::this_thread::yield();
        }
        told = request.gone->load();
        return Answer(request);
      }).value();
  const auto client = Connect(*server);
  ASSERT_TRUE(client->Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  begun.wait();
  server->Stop(20);
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace quaver
