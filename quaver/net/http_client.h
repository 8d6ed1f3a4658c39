// A small blocking HTTP/1.1 client: for tests, health checks, load tests.
//
//   ASSIGN_OR_RETURN(auto client, HttpClient::Connect("127.0.0.1", 8080));
//   ASSIGN_OR_RETURN(HttpResponse answer, client->Get("/health/live"));
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "quaver/base/status.h"
#include "quaver/net/http.h"

namespace quaver {

// One connection, kept alive from call to call until either side closes it;
// then calls fail with Unavailable and the caller connects anew. Not
// thread-safe. No TLS, no redirects.
class HttpClient {
 public:
  // `address` is a number. `timeout_ms` bounds the connect and each wait for
  // bytes; DeadlineExceeded when it passes.
  static absl::StatusOr<std::unique_ptr<HttpClient>> Connect(
      const std::string& address, int port, int timeout_ms = 10'000);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Of the answer, header names are in lower case.
  absl::StatusOr<HttpResponse> Get(const std::string& target);
  absl::StatusOr<HttpResponse> Send(const std::string& method,
                                    const std::string& target,
                                    const HttpFields& headers = {},
                                    std::string_view body = "");

  // The halves of Send, for requests that are wrong or come in pieces.
  absl::Status Write(std::string_view bytes);
  absl::Status CloseWriting();
  // `has_body`: false for the answer to HEAD. Skips 1xx answers other than
  // 100 Continue, which is returned.
  absl::StatusOr<HttpResponse> Read(bool has_body = true);
  // OK once the server has closed and no byte is left.
  absl::Status ReadEnd();

 private:
  explicit HttpClient(int descriptor) : descriptor_(descriptor) {}
  absl::Status ReadMore();
  absl::StatusOr<std::string> ReadLine();
  absl::StatusOr<std::string> ReadBytes(size_t num_bytes);
  absl::StatusOr<std::string> ReadChunks();
  absl::StatusOr<std::string> ReadBody(const HttpResponse& response);

  int descriptor_;
  std::string buffer_;  // read from the socket, not yet consumed
};

}  // namespace quaver
