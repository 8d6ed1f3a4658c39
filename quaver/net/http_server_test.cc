// Tests of the server over real sockets on the loopback.
#include "quaver/net/http_server.h"

#include <atomic>
#include <chrono>
#include <latch>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/net/http_client.h"

namespace quaver {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// Method, path, query and body, so that a mixed-up answer shows.
HttpResponse Echo(HttpRequest& request) {
  std::string text = request.method + " " + request.path;
  for (const auto& [name, value] : request.query) {
    text += " " + name + "=" + value;
  }
  return {.status = 200,
          .content_type = "text/plain",
          .headers = {},
          .body = text + "|" + request.body};
}

std::unique_ptr<HttpServer> StartServer(HttpServerConfig config = {},
                                        HttpHandler handler = Echo) {
  config.handler_threads = std::max(config.handler_threads, 1);
  return HttpServer::Start(config, std::move(handler)).value();
}

std::unique_ptr<HttpClient> Connect(const HttpServer& server) {
  return HttpClient::Connect("127.0.0.1", server.port(), 20'000).value();
}

// Status of the answer to raw bytes, after which the client sends no more;
// 0 when the server closes without an answer.
int StatusOf(const HttpServer& server, std::string_view bytes) {
  const auto client = Connect(server);
  // The server may answer, and close, before it has read everything.
  client->Write(bytes).IgnoreError();
  client->CloseWriting().IgnoreError();
  const auto response = client->Read();
  return response.ok() ? response->status : 0;
}

std::string Post(std::string_view body) {
  return fmt::format(
      "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n"
      "\r\n{}",
      body.size(), body);
}

TEST(HttpServerTest, KeepsAConnectionForManyRequests) {
  const auto server = StartServer();
  const auto client = Connect(*server);
  for (int i = 0; i < 100; ++i) {
    const auto response = client->Send("POST", fmt::format("/{}?a=b+c", i), {},
                                       std::string(i * 37, 'x'));
    ASSERT_EQ(response->status, 200);
    EXPECT_EQ(response->body,
              fmt::format("POST /{} a=b c|{}", i, std::string(i * 37, 'x')));
    EXPECT_EQ(response->content_type, "text/plain");
  }
}

TEST(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  const auto server = StartServer({.handler_threads = 4});
  const auto client = Connect(*server);
  std::string bytes;
  for (int i = 0; i < 50; ++i) {
    bytes += i % 2 == 0 ? fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", i)
                        : Post(std::to_string(i));
  }
  ASSERT_TRUE(client->Write(bytes).ok());
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client->Read()->body, i % 2 == 0 ? fmt::format("GET /{}|", i)
                                               : fmt::format("POST /p|{}", i));
  }
}

TEST(HttpServerTest, RequestsMayComeByteByByte) {
  const auto server = StartServer();
  const auto client = Connect(*server);
  const std::string chunked =
      "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=1\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n";
  for (const char byte : Post("body") + chunked) {
    ASSERT_TRUE(client->Write(std::string_view(&byte, 1)).ok());
  }
  EXPECT_EQ(client->Read()->body, "POST /p|body");
  EXPECT_EQ(client->Read()->body, "POST /c|abc0123456789abcdef");
}

TEST(HttpServerTest, HeadHasTheLengthAndNoBody) {
  const auto server = StartServer();
  const auto client = Connect(*server);
  const auto head = client->Send("HEAD", "/x");
  EXPECT_EQ(*FindField(head->headers, "content-length"), "8");
  EXPECT_EQ(client->Get("/y")->body, "GET /y|");
}

// Whether its handler saw the client go before `patience_ms` were over.
struct GoneSeen {
  explicit GoneSeen(int patience_ms) {
    server = StartServer({}, [this, patience_ms](HttpRequest& request) {
      begun.count_down();
      const auto end = std::chrono::steady_clock::now() +
                       std::chrono::milliseconds(patience_ms);
      while (!*request.gone && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
      }
      seen = request.gone->load();
      return HttpResponse{.status = 204};
    });
  }
  std::latch begun{1};
  std::atomic<bool> seen = false;
  std::unique_ptr<HttpServer> server;
};

TEST(HttpServerTest, HandlersAreToldOfAClientThatLeaves) {
  GoneSeen left(/*patience_ms=*/20'000);
  auto client = Connect(*left.server);
  ASSERT_TRUE(client->Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  left.begun.wait();
  client.reset();
  left.server->Stop(20'000);
  EXPECT_TRUE(left.seen);
}

TEST(HttpServerTest, AClientThatSendsItsNextRequestHasNotLeft) {
  GoneSeen stays(/*patience_ms=*/50);
  const auto client = Connect(*stays.server);
  ASSERT_TRUE(client->Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  stays.begun.wait();
  ASSERT_TRUE(client->Write("GET /2 HTTP/1.1\r\nHost: a\r\n").ok());
  EXPECT_EQ(client->Read()->status, 204);
  EXPECT_FALSE(stays.seen);
}

TEST(HttpServerTest, SaysWhatIsWrongWithACertificate) {
  const std::string here = testing::TempDir() + "/no.pem";
  const auto message = [](const HttpServerConfig& config) {
    return std::string(HttpServer::Start(config, Echo).status().message());
  };
  EXPECT_THAT(message({.tls_certificate = here}), HasSubstr("both"));
  EXPECT_THAT(message({.tls_certificate = here, .tls_key = here}),
              HasSubstr("no.pem: no certificate"));
}

TEST(HttpServerTest, OldAndClosingClientsAreClosedAfterTheAnswer) {
  const auto server = StartServer();
  for (const char* text : {"GET / HTTP/1.0\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: a\r\n"
                           "Connection: close\r\n\r\n"}) {
    const auto client = Connect(*server);
    ASSERT_TRUE(client->Write(text).ok());
    const auto response = client->Read();
    EXPECT_EQ(*FindField(response->headers, "connection"), "close");
    EXPECT_TRUE(client->ReadEnd().ok());
  }
}

TEST(HttpServerTest, ContinuesAClientThatAsks) {
  const auto server = StartServer();
  const auto client = Connect(*server);
  ASSERT_TRUE(client
                  ->Write("POST /e HTTP/1.1\r\nHost: a\r\nExpect: "
                          "100-continue\r\nContent-Length: 4\r\n\r\n")
                  .ok());
  EXPECT_EQ(client->Read()->status, 100);
  ASSERT_TRUE(client->Write("late").ok());
  EXPECT_EQ(client->Read()->body, "POST /e|late");
}

TEST(HttpServerTest, RefusesALargeBodyBeforeItIsSent) {
  const auto server = StartServer({.max_body_bytes = 10});
  const auto client = Connect(*server);
  ASSERT_TRUE(client
                  ->Write("POST /e HTTP/1.1\r\nHost: a\r\nExpect: "
                          "100-continue\r\nContent-Length: 11\r\n\r\n")
                  .ok());
  EXPECT_EQ(client->Read()->status, 413);
}

TEST(HttpServerTest, MalformedRequestsAre400) {
  const auto server = StartServer();
  for (const char* text : {
           "\r\n\r\n",
           "GET\r\n\r\n",
           "GET / HTTP/9.9\r\n\r\n",
           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nBad\x01Name: b\r\n\r\n",
           "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /?q=%f HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET nothing HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfour",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nab",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
           "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       }) {
    EXPECT_EQ(StatusOf(*server, text), 400) << text;
  }
}

TEST(HttpServerTest, BadChunksAre400) {
  const auto server = StartServer();
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* chunks : {"x\r\n", "-1\r\n", "3\r\nabcd\r\n0\r\n\r\n",
                             "3\r\nab", "3\r\nabc\r\n", "\r\n", "3 abc\r\n"}) {
    EXPECT_EQ(StatusOf(*server, head + chunks), 400) << chunks;
  }
  EXPECT_EQ(StatusOf(*server, head + "1;" + std::string(20'000, 'x')), 400);
  EXPECT_THAT(StatusOf(*server, head + "ffffffffffffffffff\r\n"),
              AnyOf(400, 413));
}

TEST(HttpServerTest, WhatItDoesNotSpeakIsNamed) {
  const auto server = StartServer();
  EXPECT_EQ(StatusOf(*server, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf(*server, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf(*server,
                     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip"
                     "\r\n\r\n"),
            501);
  EXPECT_EQ(StatusOf(*server,
                     "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip"
                     "\r\nContent-Length: 1\r\n\r\nx"),
            415);
  EXPECT_EQ(StatusOf(*server,
                     "GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n"),
            417);
}

TEST(HttpServerTest, HandlersMayDecodeBodies) {
  const auto server = StartServer({.coded_bodies = true});
  const auto response = Connect(*server)->Send(
      "POST", "/", {{"Content-Encoding", "gzip"}}, "coded");
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->body, "POST /|coded");
}

TEST(HttpServerTest, TooLargeIsToldWhileTheClientStillSends) {
  std::atomic<int> refused{0};
  const auto server = StartServer({.max_header_bytes = 1'000,
                                   .max_body_bytes = 100'000,
                                   .on_refused = [&](int) { ++refused; }});
  const std::string long_header =
      "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(300'000, 'x');
  EXPECT_EQ(StatusOf(*server, long_header + "\r\n\r\n"), 431);
  EXPECT_EQ(StatusOf(*server, "GET /" + std::string(5'000, 'x')), 431);
  EXPECT_EQ(StatusOf(*server, Post(std::string(3'000'000, 'x'))), 413);
  std::string chunked =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 200; ++i) {
    chunked += "400\r\n" + std::string(1024, 'y') + "\r\n";
  }
  EXPECT_EQ(StatusOf(*server, chunked), 413);
  EXPECT_EQ(refused, 4);
  EXPECT_EQ(StatusOf(*server, Post(std::string(100'000, 'x'))), 200);
}

TEST(HttpServerTest, BodiesShareOneBudget) {
  const auto server =
      StartServer({.max_body_bytes = 1'000, .max_buffered_bytes = 1'500});
  const auto first = Connect(*server);
  // A served request on the same connection: the header has been seen.
  ASSERT_TRUE(first
                  ->Write("POST /1 HTTP/1.1\r\nHost: a\r\nExpect: "
                          "100-continue\r\nContent-Length: 1000\r\n\r\n")
                  .ok());
  ASSERT_EQ(first->Read()->status, 100);
  EXPECT_EQ(StatusOf(*server, Post(std::string(600, 'x'))), 503);
  EXPECT_EQ(StatusOf(*server, Post(std::string(500, 'x'))), 200);
  ASSERT_TRUE(first->Write(std::string(1'000, 'x')).ok());
  EXPECT_EQ(first->Read()->status, 200);
  EXPECT_EQ(StatusOf(*server, Post(std::string(600, 'x'))), 200);
}

TEST(HttpServerTest, SlowRequestsAreToldSo) {
  const auto server = StartServer({.read_timeout_ms = 30});
  for (const char* text :
       {"G", "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab"}) {
    const auto client = Connect(*server);
    ASSERT_TRUE(client->Write(text).ok());
    const auto response = client->Read();
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 408);
    EXPECT_TRUE(client->ReadEnd().ok());
  }
}

TEST(HttpServerTest, ABodyThatDripsRunsOutOfTime) {
  const auto server =
      StartServer({.read_timeout_ms = 10'000, .transfer_timeout_ms = 60});
  const auto client = Connect(*server);
  ASSERT_TRUE(client
                  ->Write("POST / HTTP/1.1\r\nHost: a\r\n"
                          "Content-Length: 100000\r\n\r\n")
                  .ok());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(client->Write("x").ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(client->Read()->status, 408);
}

TEST(HttpServerTest, IdleConnectionsAreClosedWithoutAWord) {
  const auto server = StartServer({.idle_timeout_ms = 30});
  const auto silent = Connect(*server);
  EXPECT_TRUE(silent->ReadEnd().ok());
  const auto client = Connect(*server);
  EXPECT_EQ(client->Get("/")->status, 200);
  EXPECT_TRUE(client->ReadEnd().ok());
}

TEST(HttpServerTest, StalledClientsHoldNoHandler) {
  const auto server = StartServer({.handler_threads = 1});
  std::vector<std::unique_ptr<HttpClient>> stalled;
  for (int i = 0; i < 32; ++i) {
    stalled.push_back(Connect(*server));
    const std::string request = Post("never complete");
    ASSERT_TRUE(stalled.back()->Write(request.substr(0, 20 + 2 * i)).ok());
  }
  EXPECT_EQ(Connect(*server)->Get("/")->status, 200);
}

TEST(HttpServerTest, WhoDoesNotReadIsDropped) {
  const auto server =
      StartServer({.transfer_timeout_ms = 100}, [](HttpRequest& request) {
        HttpResponse response = Echo(request);
        if (request.path == "/big") response.body = std::string(64 << 20, 'x');
        return response;
      });
  const auto client = Connect(*server);
  ASSERT_TRUE(client->Write("GET /big HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  EXPECT_EQ(Connect(*server)->Get("/")->status, 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  EXPECT_FALSE(client->Read().ok());  // cut off in the middle
}

TEST(HttpServerTest, GarbageHurtsNobody) {
  const auto server = StartServer({.read_timeout_ms = 50});
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    std::string bytes(1 + random.Below(400), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.Next());
    if (i % 3 == 0) bytes = "GET /" + bytes;
    if (i % 7 == 0) bytes = Post(bytes).substr(random.Below(30));
    EXPECT_THAT(StatusOf(*server, bytes), AnyOf(0, 200, 400, 408, 501)) << i;
  }
  EXPECT_EQ(Connect(*server)->Get("/")->status, 200);
}

TEST(HttpServerTest, ServesManyClientsAtOnce) {
  const auto server = StartServer({.io_threads = 2, .handler_threads = 4});
  std::atomic<int> num_right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 64; ++t) {
    threads.emplace_back([&, t] {
      const auto client = Connect(*server);
      for (int i = 0; i < 20; ++i) {
        const std::string body = fmt::format("{} {}", t, i);
        const auto response = client->Send("POST", "/x", {}, body);
        num_right += response.ok() && response->body == "POST /x|" + body;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_right, 64 * 20);
}

TEST(HttpServerTest, AFullQueueAnswers503) {
  std::latch entered(1);
  std::latch go_on(1);
  const auto server = StartServer({.handler_threads = 1, .max_queue = 1},
                                  [&](HttpRequest& request) {
                                    if (request.path == "/first") {
                                      entered.count_down();
                                      go_on.wait();
                                    }
                                    return Echo(request);
                                  });
  const auto first = Connect(*server);
  ASSERT_TRUE(first->Write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  entered.wait();
  // One of two waits in the queue, the other is sent away, whichever the
  // server reads first; the one sent away may come again.
  std::atomic<int> num_refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      const auto client = Connect(*server);
      auto response = client->Get("/next");
      if (response->status == 503) {
        EXPECT_EQ(*FindField(response->headers, "retry-after"), "1");
        ++num_refused;
        go_on.count_down();
        while (response->status == 503) response = client->Get("/next");
      }
      EXPECT_EQ(response->body, "GET /next|");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_refused, 1);
  EXPECT_EQ(first->Read()->status, 200);
}

TEST(HttpServerTest, ExceptionsBecome500) {
  const auto server = StartServer({}, [](HttpRequest& request) {
    if (request.path == "/throw") throw std::runtime_error("on purpose");
    return Echo(request);
  });
  const auto client = Connect(*server);
  const auto response = client->Get("/throw");
  EXPECT_EQ(response->status, 500);
  EXPECT_THAT(response->body, testing::Not(HasSubstr("on purpose")));
  EXPECT_EQ(client->Get("/")->status, 200);
}

TEST(HttpServerTest, BeyondTheLimitConnectionsWaitTheirTurn) {
  const auto server = StartServer({.max_connections = 1});
  auto first = Connect(*server);
  EXPECT_EQ(first->Get("/1")->status, 200);
  const auto second = Connect(*server);  // by the system, not by the server
  ASSERT_TRUE(second->Write("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  EXPECT_EQ(first->Get("/1")->status, 200);
  first.reset();
  EXPECT_EQ(second->Read()->body, "GET /2|");
}

TEST(HttpServerTest, StopFinishesWhatIsInFlight) {
  std::latch entered(1);
  std::latch go_on(1);
  const auto server = StartServer({}, [&](HttpRequest& request) {
    if (request.path == "/slow") {
      entered.count_down();
      go_on.wait();
    }
    return Echo(request);
  });
  const auto idle = Connect(*server);
  EXPECT_EQ(idle->Get("/")->status, 200);
  const auto busy = Connect(*server);
  ASSERT_TRUE(busy->Write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  entered.wait();

  std::thread stop([&] { server->Stop(60'000); });
  EXPECT_TRUE(idle->ReadEnd().ok());
  go_on.count_down();
  const auto response = busy->Read();
  EXPECT_EQ(response->body, "GET /slow|");
  EXPECT_EQ(*FindField(response->headers, "connection"), "close");
  EXPECT_TRUE(busy->ReadEnd().ok());
  stop.join();
  EXPECT_FALSE(HttpClient::Connect("127.0.0.1", server->port(), 1'000).ok());
}

TEST(HttpServerTest, StopDropsWhatMissesTheDeadline) {
  std::latch entered(1);
  std::latch go_on(1);
  const auto server = StartServer({}, [&](HttpRequest& request) {
    entered.count_down();
    go_on.wait();
    return Echo(request);
  });
  const auto busy = Connect(*server);
  ASSERT_TRUE(busy->Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok());
  entered.wait();
  const auto stalled = Connect(*server);
  ASSERT_TRUE(stalled->Write("GET / HT").ok());
  std::thread stop([&] { server->Stop(20); });
  EXPECT_FALSE(busy->Read().ok());
  EXPECT_FALSE(stalled->Read().ok());
  go_on.count_down();
  stop.join();
}

TEST(HttpServerTest, StartNamesWhatIsWrong) {
  const auto status = [](const HttpServerConfig& config) {
    return HttpServer::Start(config, Echo).status();
  };
  EXPECT_THAT(Message(status({.address = "localhost"})),
              HasSubstr("\"localhost\""));
  EXPECT_THAT(Message(status({.port = 70'000})), HasSubstr("70000"));
  EXPECT_THAT(Message(status({.max_connections = 0})),
              HasSubstr("max_connections"));
  const auto server = StartServer();
  const auto taken = status({.port = server->port()});
  EXPECT_EQ(taken.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(Message(taken), HasSubstr(std::to_string(server->port())));
}

TEST(HttpServerTest, ListensOnVersion6) {
  const auto server = HttpServer::Start({.address = "::1"}, Echo);
  if (!server.ok()) GTEST_SKIP() << "no IPv6 here: " << server.status();
  const auto client = HttpClient::Connect("::1", (*server)->port());
  EXPECT_EQ((*client)->Get("/")->status, 200);
}

}  // namespace
}  // namespace quaver
