// See http_client.h.
#include "quaver/net/http_client.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "quaver/base/file.h"

namespace quaver {
namespace {

constexpr size_t kMaxResponseBytes = size_t{1} << 30;

// Fills `storage`; 0 for text that is no address.
socklen_t ParseAddress(const std::string& address, int port,
                       sockaddr_storage& storage) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    return sizeof(*v4);
  }
  if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(port));
    return sizeof(*v6);
  }
  return 0;
}

absl::Status SocketStatus(const std::string& what) {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS) {
    return absl::DeadlineExceededError(what + ": no answer in time");
  }
  return absl::UnavailableError(
      fmt::format("{}: errno {}, {}", what, errno,
                  Message(ErrnoStatus(errno, "the connection"))));
}

absl::StatusOr<size_t> ParseSize(std::string_view text, int base) {
  size_t size = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, size, base);
  if (error != std::errc() || rest != end || size > kMaxResponseBytes) {
    return absl::InternalError(
        fmt::format("the answer's length \"{}\" makes no sense", text));
  }
  return size;
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// "HTTP/1.1 200 OK"
absl::StatusOr<int> ParseStatusLine(std::string_view line) {
  int status = 0;
  if (line.starts_with("HTTP/1.") && line.size() >= 12) {
    std::from_chars(line.data() + 9, line.data() + 12, status);
  }
  if (status < 100) {
    return absl::InternalError(
        fmt::format("\"{}\" is no HTTP/1.1 status line", line));
  }
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Connect(
    const std::string& address, int port, int timeout_ms) {
  sockaddr_storage storage = {};
  const socklen_t size = ParseAddress(address, port, storage);
  if (size == 0) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no IP address: write it in numbers", address));
  }
  const int descriptor =
      socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return ErrnoStatus(errno, "socket");
  auto client = std::unique_ptr<HttpClient>(new HttpClient(descriptor));
  const timeval timeout = {.tv_sec = timeout_ms / 1000,
                           .tv_usec = timeout_ms % 1000 * 1000};
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&storage), size) != 0) {
    return SocketStatus(fmt::format("connect to {} port {}", address, port));
  }
  return client;
}

HttpClient::~HttpClient() { close(descriptor_); }

absl::StatusOr<HttpResponse> HttpClient::Get(const std::string& target) {
  return Send("GET", target);
}

absl::StatusOr<HttpResponse> HttpClient::Send(const std::string& method,
                                              const std::string& target,
                                              const HttpFields& headers,
                                              std::string_view body) {
  std::string request =
      fmt::format("{} {} HTTP/1.1\r\nHost: quaver\r\n", method, target);
  for (const auto& [name, value] : headers) {
    request += fmt::format("{}: {}\r\n", name, value);
  }
  if (!body.empty() || method == "POST" || method == "PUT") {
    request += fmt::format("Content-Length: {}\r\n", body.size());
  }
  request += "\r\n";
  request += body;
  RETURN_IF_ERROR(Write(request));
  return Read(method != "HEAD");
}

absl::Status HttpClient::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent =
        send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return SocketStatus("send");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

absl::Status HttpClient::CloseWriting() {
  if (shutdown(descriptor_, SHUT_WR) != 0) return SocketStatus("shutdown");
  return absl::OkStatus();
}

absl::StatusOr<HttpResponse> HttpClient::Read(bool has_body) {
  HttpResponse response;
  response.content_type.clear();
  do {
    ASSIGN_OR_RETURN(const std::string line, ReadLine());
    ASSIGN_OR_RETURN(response.status, ParseStatusLine(line));
    response.headers.clear();
    while (true) {
      ASSIGN_OR_RETURN(const std::string field, ReadLine());
      if (field.empty()) break;
      const size_t colon = std::min(field.find(':'), field.size() - 1);
      response.headers.emplace_back(
          ToLower(field.substr(0, colon)),
          Trim(std::string_view(field).substr(colon + 1)));
    }
  } while (response.status < 200 && response.status != 100);
  if (const auto* type = FindField(response.headers, "content-type")) {
    response.content_type = *type;
  }
  const int status = response.status;
  if (!has_body || status == 100 || status == 204 || status == 304) {
    return response;
  }
  ASSIGN_OR_RETURN(response.body, ReadBody(response));
  return response;
}

absl::Status HttpClient::ReadEnd() {
  absl::Status status;
  while (status.ok()) {
    if (!buffer_.empty()) {
      return absl::FailedPreconditionError(
          fmt::format("{} bytes before the end", buffer_.size()));
    }
    status = ReadMore();
  }
  return absl::IsUnavailable(status) ? absl::OkStatus() : status;
}

absl::Status HttpClient::ReadMore() {
  char bytes[16384];
  ssize_t received = 0;
  do {
    received = recv(descriptor_, bytes, sizeof(bytes), 0);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return SocketStatus("receive");
  if (received == 0) {
    return absl::UnavailableError("the server closed the connection");
  }
  buffer_.append(bytes, static_cast<size_t>(received));
  return absl::OkStatus();
}

absl::StatusOr<std::string> HttpClient::ReadLine() {
  size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (buffer_.size() > kMaxResponseBytes) {
      return absl::InternalError("the answer's header has no end");
    }
    RETURN_IF_ERROR(ReadMore());
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

absl::StatusOr<std::string> HttpClient::ReadBytes(size_t num_bytes) {
  while (buffer_.size() < num_bytes) RETURN_IF_ERROR(ReadMore());
  std::string bytes = buffer_.substr(0, num_bytes);
  buffer_.erase(0, num_bytes);
  return bytes;
}

absl::StatusOr<std::string> HttpClient::ReadChunks() {
  std::string body;
  while (true) {
    ASSIGN_OR_RETURN(const std::string line, ReadLine());
    ASSIGN_OR_RETURN(const size_t size,
                     ParseSize(Trim(line.substr(0, line.find(';'))), 16));
    if (size == 0) break;
    ASSIGN_OR_RETURN(const std::string chunk, ReadBytes(size));
    body += chunk;
    RETURN_IF_ERROR(ReadLine().status());
  }
  while (true) {  // trailers
    ASSIGN_OR_RETURN(const std::string line, ReadLine());
    if (line.empty()) return body;
  }
}

absl::StatusOr<std::string> HttpClient::ReadBody(const HttpResponse& response) {
  if (const auto* coding = FindField(response.headers, "transfer-encoding");
      coding != nullptr && ToLower(*coding) == "chunked") {
    return ReadChunks();
  }
  if (const auto* text = FindField(response.headers, "content-length")) {
    ASSIGN_OR_RETURN(const size_t size, ParseSize(*text, 10));
    return ReadBytes(size);
  }
  absl::Status status;
  while (status.ok()) status = ReadMore();  // until the server closes
  if (!absl::IsUnavailable(status)) return status;
  return std::move(buffer_);
}

}  // namespace quaver
