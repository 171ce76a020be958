#include "load/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace andromede::load {
namespace {

constexpr std::size_t kFirstRead = 64 * 1024;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

Result<sockaddr_in> ipv4(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return fail(Errc::kInvalidArgument, "not an IPv4 address: " + host);
  }
  return address;
}

tl::unexpected<Error> io_error(const char* what) { return fail(Errc::kIo, std::string(what) + ": " + strerror(errno)); }

}  // namespace

std::string Response::header(std::string_view name) const {
  std::size_t at = head.find("\r\n");
  while (at != std::string::npos && at + 2 < head.size()) {
    const std::size_t begin = at + 2;
    const std::size_t end = head.find("\r\n", begin);
    const std::string_view line = std::string_view(head).substr(begin, end == std::string::npos ? end : end - begin);
    const std::size_t colon = line.find(':');
    if (colon == name.size() && lower(line.substr(0, colon)) == name) {
      std::string_view value = line.substr(colon + 1);
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      return std::string(value);
    }
    at = end;
  }
  return {};
}

Connection::Connection(std::string host, std::uint16_t port, std::string from)
    : host_(std::move(host)), port_(port), from_(std::move(from)) {}
Connection::~Connection() { close(); }

void Connection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  filled_ = 0;
}

Status Connection::bind_to_source() {
  if (from_.empty()) return {};
  TRY(const sockaddr_in address, ipv4(from_, 0));
  if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return io_error("bind");
  return {};
}

Status Connection::connect() {
  TRY(const sockaddr_in address, ipv4(host_, port_));
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return io_error("socket");
  CHECK_OK(bind_to_source());
  const int one = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const timeval timeout{.tv_sec = 120, .tv_usec = 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    close();
    errno = error;
    return io_error("connect");
  }
  return {};
}

Result<Response> Connection::exchange(std::string_view head, ByteView body, bool head_request) {
  if (socket_ < 0) CHECK_OK(connect());
  if (auto sent = send_all(head, body); !sent) {
    close();
    return fail(std::move(sent).error());
  }
  auto response = read_response(head_request);
  if (!response || response->header("connection") == "close") close();
  return response;
}

Status Connection::send_all(std::string_view head, ByteView body) {
  std::size_t sent = 0;
  const std::size_t total = head.size() + body.size();
  while (sent < total) {
    iovec pieces[2];
    int count = 0;
    if (sent < head.size()) {
      pieces[count++] = {const_cast<char*>(head.data()) + sent, head.size() - sent};
    }
    const std::size_t body_sent = sent > head.size() ? sent - head.size() : 0;
    if (body_sent < body.size()) {
      pieces[count++] = {const_cast<std::uint8_t*>(body.data()) + body_sent, body.size() - body_sent};
    }
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = static_cast<std::size_t>(count);
    const ssize_t written = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EINTR) continue;
      return io_error("send");
    }
    sent += static_cast<std::size_t>(written);
  }
  return {};
}

Result<std::size_t> Connection::receive_more() {
  if (buffer_.size() < filled_ + kFirstRead) buffer_.resize(std::max(buffer_.size() * 2, filled_ + kFirstRead));
  const ssize_t count = ::recv(socket_, buffer_.data() + filled_, buffer_.size() - filled_, 0);
  if (count < 0 && errno == EINTR) return 0;
  if (count < 0) return io_error("receive");
  if (count == 0) return fail(Errc::kIo, "the server closed the connection");
  filled_ += static_cast<std::size_t>(count);
  return static_cast<std::size_t>(count);
}

Result<Response> Connection::read_response(bool head_request) {
  filled_ = 0;
  std::size_t end = std::string::npos;
  while (end == std::string::npos) {
    TRY([[maybe_unused]] const std::size_t count, receive_more());
    end = std::string_view(buffer_.data(), filled_).find("\r\n\r\n");
  }
  Response response;
  response.head.assign(buffer_.data(), end);
  if (response.head.size() < 12) return fail(Errc::kIo, "not an HTTP response");
  std::from_chars(response.head.data() + 9, response.head.data() + 12, response.status);
  const std::size_t body_at = end + 4;
  if (head_request || response.status == 204 || response.status == 304) return response;
  std::uint64_t size = 0;
  if (const std::string length = response.header("content-length"); !length.empty()) {
    std::from_chars(length.data(), length.data() + length.size(), size);
    CHECK_OK(read_sized(body_at, size));
  } else if (response.header("transfer-encoding") == "chunked") {
    TRY(size, read_chunked(body_at));
  }
  response.body = {reinterpret_cast<const std::uint8_t*>(buffer_.data()) + body_at, static_cast<std::size_t>(size)};
  return response;
}

Status Connection::read_sized(std::size_t body_at, std::uint64_t size) {
  if (buffer_.size() < body_at + size + kFirstRead) buffer_.resize(body_at + size + kFirstRead);
  while (filled_ < body_at + size) {
    TRY([[maybe_unused]] const std::size_t count, receive_more());
  }
  return {};
}

// Moves the chunks' data together in place; answers their size.
Result<std::size_t> Connection::read_chunked(std::size_t body_at) {
  std::size_t in = body_at;
  std::size_t out = body_at;
  for (;;) {
    std::size_t line_end = std::string::npos;
    while ((line_end = std::string_view(buffer_.data(), filled_).find("\r\n", in)) == std::string::npos) {
      TRY([[maybe_unused]] const std::size_t count, receive_more());
    }
    std::size_t size = 0;
    std::from_chars(buffer_.data() + in, buffer_.data() + line_end, size, 16);
    in = line_end + 2;
    while (filled_ < in + size + 2) {
      TRY([[maybe_unused]] const std::size_t count, receive_more());
    }
    std::memmove(buffer_.data() + out, buffer_.data() + in, size);
    out += size;
    in += size + 2;
    if (size == 0) return out - body_at;
  }
}

}  // namespace andromede::load
