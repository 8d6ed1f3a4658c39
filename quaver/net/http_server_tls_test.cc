// Tests of the server over TLS, by a client that is OpenSSL alone.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include "quaver/net/http_server.h"

namespace quaver {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
template <typename T, auto kFree>
using Owned = std::unique_ptr<T, Freed<kFree>>;

// A certificate that signs itself, with its key in the same file.
std::string MakeCertificate() {
  const Owned<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
  const Owned<X509, X509_free> certificate(X509_new());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3'600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  std::string path = testing::TempDir() + "/quaver_http_server_tls.pem";
  const Owned<std::FILE, std::fclose> file(std::fopen(path.c_str(), "w"));
  PEM_write_X509(file.get(), certificate.get());
  PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr,
                       nullptr);
  return path;
}

std::unique_ptr<HttpServer> StartServer(HttpHandler handler) {
  const std::string path = MakeCertificate();
  return HttpServer::Start(
             {.handler_threads = 2, .tls_certificate = path, .tls_key = path},
             std::move(handler))
      .value();
}

class TlsClient {
 public:
  explicit TlsClient(const HttpServer& server)
      : context_(SSL_CTX_new(TLS_client_method())),
        tls_(SSL_new(context_.get())),
        descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server.port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(descriptor_, reinterpret_cast<sockaddr*>(&address),
                      sizeof(address)),
              0);
    SSL_set_fd(tls_.get(), descriptor_);
    EXPECT_EQ(SSL_connect(tls_.get()), 1);
  }
  ~TlsClient() { close(descriptor_); }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  void Write(std::string_view bytes) {
    EXPECT_EQ(
        SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())),
        static_cast<int>(bytes.size()));
  }
  // What one record has; "" at the server's goodbye.
  std::string Read() {
    std::string bytes(16 << 10, '\0');
    const int num_bytes =
        SSL_read(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (num_bytes <= 0) {
      EXPECT_EQ(SSL_get_error(tls_.get(), num_bytes), SSL_ERROR_ZERO_RETURN);
    }
    bytes.resize(static_cast<size_t>(std::max(num_bytes, 0)));
    return bytes;
  }
  // Until the answer's end, which is a line's.
  std::string ReadAnswer() {
    std::string answer;
    while (!answer.ends_with('\n') || answer.ends_with("\r\n")) {
      const std::string more = Read();
      if (more.empty()) break;
      answer += more;
    }
    return answer;
  }
  void SayGoodbye() { SSL_shutdown(tls_.get()); }

 private:
  const Owned<SSL_CTX, SSL_CTX_free> context_;
  const Owned<SSL, SSL_free> tls_;
  const int descriptor_;
};

// Whether its handler saw the client go before `patience_ms` were over.
struct GoneSeen {
  explicit GoneSeen(int patience_ms) {
    server = StartServer([this, patience_ms](HttpRequest& request) {
      begun.release();
      const auto end = std::chrono::steady_clock::now() +
                       std::chrono::milliseconds(patience_ms);
      while (!*request.gone && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
      }
      if (*request.gone) seen = true;
      return HttpResponse{.status = 200, .body = request.path + "\n"};
    });
  }
  std::counting_semaphore<> begun{0};
  std::atomic<bool> seen = false;
  std::unique_ptr<HttpServer> server;
};

TEST(HttpServerTlsTest, HandlersAreToldOfAClientThatLeaves) {
  for (const bool says_goodbye : {false, true}) {
    GoneSeen left(/*patience_ms=*/20'000);
    {
      TlsClient client(*left.server);
      client.Write(kGet);
      left.begun.acquire();
      if (says_goodbye) client.SayGoodbye();
    }
    left.server->Stop(20'000);
    EXPECT_TRUE(left.seen) << says_goodbye;
  }
}

TEST(HttpServerTlsTest, AClientThatSendsItsNextRequestHasNotLeft) {
  GoneSeen stays(/*patience_ms=*/50);
  TlsClient client(*stays.server);
  client.Write(kGet);
  stays.begun.acquire();
  client.Write("GET /2 HTTP/1.1\r\nHost: a\r\n");
  EXPECT_THAT(client.ReadAnswer(), EndsWith("\r\n\r\n/\n"));
  client.Write("\r\n");
  EXPECT_THAT(client.ReadAnswer(), EndsWith("\r\n\r\n/2\n"));
  EXPECT_FALSE(stays.seen);
}

TEST(HttpServerTlsTest, TheLastAnswerEndsWithAGoodbye) {
  GoneSeen stays(/*patience_ms=*/0);
  TlsClient client(*stays.server);
  client.Write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.ReadAnswer(), StartsWith("HTTP/1.1 200 "));
  // What comes after the end disturbs nobody.
  client.Write(kGet);
  EXPECT_EQ(client.Read(), "");
}

}  // namespace
}  // namespace quaver
