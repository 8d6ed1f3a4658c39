// An asynchronous HTTP/1.1 server: bytes in, plain requests to a handler.
//
//   ASSIGN_OR_RETURN(auto server, HttpServer::Start(
//       {.port = 8080}, [&](HttpRequest& request) {
//         return router.Handle(request);
//       }));
//   server->Stop(/*deadline_ms=*/5'000);
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "quaver/base/status.h"
#include "quaver/net/http.h"

namespace quaver {

struct HttpServerConfig {
  std::string address = "127.0.0.1";  // a number, version 4 or 6
  int port = 0;                       // 0: any free one
  int io_threads = 1;                 // that always serve the sockets
  int handler_threads = 0;  // handlers at once, always; 0: AvailableCores()
  // Handlers at once, by threads that start when all others have one and end
  // when they are not needed; 0: handler_threads. For handlers that wait.
  int max_handler_threads = 0;
  int thread_idle_ms = 5'000;  // before those end, up to twice as long
  int max_queue = 256;         // requests that wait for a handler thread
  size_t max_header_bytes = 16 << 10;
  size_t max_body_bytes = 8 << 20;
  // Of all bodies together, so that many large uploads cannot fill the memory.
  // A body counts with the length that it announces, in chunks with what has
  // come of it.
  size_t max_buffered_bytes = 256 << 20;
  int max_connections = 1'024;
  int read_timeout_ms = 10'000;      // a whole header; each gap in a body
  int transfer_timeout_ms = 60'000;  // a whole body; a whole answer
  int idle_timeout_ms = 60'000;      // between two requests
  // PEM files: the certificate with its chain, and its key. Both or none; with
  // them every connection is TLS 1.2 or 1.3.
  std::string tls_certificate;
  std::string tls_key;
  // Handlers decode what Content-Encoding names; otherwise 415 refuses it.
  bool coded_bodies = false;
  // Told of each answer that no handler gave: bad requests, timeouts, queues
  // that are full. From any thread.
  std::function<void(int status)> on_refused = nullptr;
  // Writes those answers, without Retry-After; `field`, which header was wrong,
  // may be empty. From any thread. Null: ErrorResponse.
  std::function<HttpResponse(int status, std::string_view message,
                             std::string_view field)>
      write_error = nullptr;
};

// May move from the request. Called on a handler thread, from several at once.
// An exception becomes a 500.
using HttpHandler = std::function<HttpResponse(HttpRequest&)>;

// Slow clients cost a connection, never a handler thread: a handler runs when
// its request is complete, and its answer is written as the client takes it.
// Any of its threads does any of that. What is wrong with a request is answered
// by the server itself: 400 malformed, 408 too slow, 413 and 431 too large, 415
// compressed, 417 a demand it does not know, 501 a method it does not know, 503
// with Retry-After too much at once. Requests of one connection are answered in
// order, one at a time.
//
// A client that closes its side while it is owed an answer counts as gone
// (HttpRequest::gone), as with most servers; what the handler answers all the
// same is sent. Behind a further request that is not noticed.
class HttpServer {
 public:
  // Accepts connections once it returns. InvalidArgument for a bad address,
  // config, certificate or key; AlreadyExists when the port is taken;
  // ResourceExhausted when the system gives too few threads.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const HttpServerConfig& config, HttpHandler handler);
  ~HttpServer();  // Stop(0)

  int port() const;  // the real one

  // Accepts no more, closes idle connections, finishes requests in flight. What
  // is not done after `deadline_ms` is dropped, and its handlers are told by
  // HttpRequest::gone. Returns when no handler runs, however long that takes,
  // as they use the server: a program that cannot wait ends itself meanwhile.
  // The second call does nothing. Not from a handler.
  void Stop(int deadline_ms);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quaver
