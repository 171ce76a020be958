#include "net/http_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/deadline.h"
#include "net/chunked_decoder.h"
#include "net/head_parser.h"
#include "net/names.h"
#include "net/tls.h"

namespace andromede::net {
namespace {

constexpr std::size_t kMaxHeadBytes = 64 * 1024;
constexpr std::size_t kMaxBodyBytes = 64 << 20;
constexpr std::size_t kReadBytes = 64 * 1024;

tl::unexpected<Error> timed_out() { return fail(Errc::kTimeout, "the server did not answer in time"); }
tl::unexpected<Error> gone() { return fail(Errc::kIo, "the server closed the connection"); }
tl::unexpected<Error> malformed() { return fail(Errc::kIo, "the server's answer is not HTTP/1.1"); }

bool is_one_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c != 0x7F; });
}
bool is_one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

// A connected socket, plain or TLS, whose every wait ends by a deadline.
class ClientSocket {
 public:
  ClientSocket(int fd, const Clock& clock) : fd_(fd), clock_(clock) {}
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;
  ~ClientSocket() { ::close(fd_); }

  Status handshake(const TlsContext& context, const std::string& host, Deadline deadline) {
    TRY(tls_, TlsSession::connect(context, fd_, host));
    for (;;) {
      const auto outcome = tls_->handshake();
      if (outcome == TlsSession::Outcome::kDone) return {};
      CHECK_OK(wait_after(outcome, deadline));
    }
  }

  Status write(ByteView data, Deadline deadline) {
    while (!data.empty()) {
      std::size_t sent = 0;
      const auto outcome = tls_ ? tls_->write(data, sent) : send_some(data, sent);
      if (outcome == TlsSession::Outcome::kDone) {
        data = data.subspan(sent);
      } else {
        CHECK_OK(wait_after(outcome, deadline));
      }
    }
    return {};
  }

  // 0 bytes: the server closed its side.
  Result<std::size_t> read(MutableByteView into, Deadline deadline) {
    for (;;) {
      std::size_t count = 0;
      const auto outcome = tls_ ? tls_->read(into, count) : receive_some(into, count);
      if (outcome == TlsSession::Outcome::kDone || count > 0) return count;
      if (outcome == TlsSession::Outcome::kClosed) return std::size_t{0};
      CHECK_OK(wait_after(outcome, deadline));
    }
  }

  // Nothing was received since the last answer: neither a farewell nor bytes that nobody asked for.
  [[nodiscard]] bool quiet() const {
    pollfd waiting{fd_, POLLIN, 0};
    return !(tls_ && tls_->pending()) && ::poll(&waiting, 1, 0) == 0;
  }

  Status wait(short events, Deadline deadline) const {
    for (;;) {
      const auto left = std::min<std::int64_t>(deadline.left(clock_).count(), INT32_MAX);
      if (left == 0) return timed_out();
      pollfd waiting{fd_, events, 0};
      const int ready = ::poll(&waiting, 1, static_cast<int>(left));
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) return fail(Errc::kIo, "poll: " + std::generic_category().message(errno));
    }
  }

 private:
  Status wait_after(TlsSession::Outcome outcome, Deadline deadline) const {
    switch (outcome) {
      case TlsSession::Outcome::kWantRead:
        return wait(POLLIN, deadline);
      case TlsSession::Outcome::kWantWrite:
        return wait(POLLOUT, deadline);
      case TlsSession::Outcome::kDone:
      case TlsSession::Outcome::kAgain:
        return {};
      case TlsSession::Outcome::kClosed:
        return gone();
      case TlsSession::Outcome::kFailed:
        break;
    }
    return tls_ ? Status(fail(Errc::kIo, "TLS: " + tls_->error())) : Status(gone());
  }

  static TlsSession::Outcome failed_outcome(TlsSession::Outcome would_block) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? would_block : TlsSession::Outcome::kFailed;
  }
  TlsSession::Outcome send_some(ByteView data, std::size_t& sent) const {
    const ssize_t count = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) return failed_outcome(TlsSession::Outcome::kWantWrite);
    sent = static_cast<std::size_t>(count);
    return TlsSession::Outcome::kDone;
  }
  TlsSession::Outcome receive_some(MutableByteView into, std::size_t& received) const {
    const ssize_t count = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
    if (count == 0) return TlsSession::Outcome::kClosed;
    if (count < 0) return failed_outcome(TlsSession::Outcome::kWantRead);
    received = static_cast<std::size_t>(count);
    return TlsSession::Outcome::kDone;
  }

  const int fd_;
  const Clock& clock_;
  std::unique_ptr<TlsSession> tls_;
};

Result<std::unique_ptr<ClientSocket>> connect_to(const addrinfo& address, const Clock& clock, Deadline deadline) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return fail(Errc::kIo, "socket: " + std::generic_category().message(errno));
  auto socket = std::make_unique<ClientSocket>(fd, clock);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, address.ai_addr, address.ai_addrlen) != 0) {
    int error = errno;
    if (error == EINPROGRESS) {
      CHECK_OK(socket->wait(POLLOUT, deadline));
      socklen_t size = sizeof error;
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0) return fail(Errc::kIo, std::generic_category().message(error));
  }
  return socket;
}

Result<std::unique_ptr<ClientSocket>> connect_to(const std::string& host, std::uint16_t port, const Clock& clock,
                                                 Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
    return fail(Errc::kIo, "cannot resolve " + host + ": " + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  Result<std::unique_ptr<ClientSocket>> last = fail(Errc::kIo, "no address");
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    last = connect_to(*address, clock, deadline);
    if (last) return last;
  }
  return fail(last.error().in("cannot connect to " + host + ":" + std::to_string(port)));
}

struct AnswerHead {
  ClientResponse response;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
};

// `text` ends with the empty line.
Result<AnswerHead> parse_answer_head(std::string_view text) {
  AnswerHead head;
  const std::size_t line_end = text.find("\r\n");
  const std::string_view line = text.substr(0, line_end);
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') return malformed();
  const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, head.response.status);
  if (error != std::errc{} || end != line.data() + 12) return malformed();
  head.keep_alive = line[7] == '1';
  text.remove_prefix(line_end + 2);
  while (!text.starts_with("\r\n")) {
    const std::size_t next = text.find("\r\n");
    const std::string_view header = text.substr(0, next);
    text.remove_prefix(next + 2);
    const std::size_t colon = header.find(':');
    if (colon == std::string_view::npos || colon == 0) return malformed();
    std::string_view value = header.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
    while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
    head.response.headers.add(std::string(header.substr(0, colon)), std::string(value));
  }
  const Headers& headers = head.response.headers;
  if (const auto coding = headers.find("Transfer-Encoding")) {
    if (!same_name(*coding, "chunked")) return malformed();
    head.chunked = true;
  } else if (const auto length = headers.find("Content-Length")) {
    std::uint64_t value = 0;
    const auto [stop, bad] = std::from_chars(length->data(), length->data() + length->size(), value);
    if (bad != std::errc{} || stop != length->data() + length->size()) return malformed();
    head.content_length = value;
  }
  if (const auto connection = headers.find("Connection"); connection && list_has_token(*connection, "close")) {
    head.keep_alive = false;
  }
  return head;
}

class HttpClient final : public Client {
 public:
  HttpClient(std::string host, std::uint16_t port, std::shared_ptr<const TlsContext> tls,
             std::chrono::milliseconds timeout)
      : host_(std::move(host)), port_(port), tls_(std::move(tls)), timeout_(timeout) {}

  Result<ClientResponse> request(std::string method, std::string target, Headers headers, std::string body) override {
    if (!is_one_word(method) || !is_one_word(target)) {
      return fail(Errc::kInvalidArgument, "method and target have no blanks and no control characters");
    }
    for (const Header& header : headers.list()) {
      if (!is_one_line(header.name) || !is_one_line(header.value)) {
        return fail(Errc::kInvalidArgument, "a header has no line breaks");
      }
    }
    const Deadline deadline = Deadline::after(clock_, timeout_);
    // The server may have closed an idle connection meanwhile; one that has not spoken yet is as good as none.
    if (socket_ && !socket_->quiet()) socket_.reset();
    const bool reused = socket_ != nullptr;
    received_.clear();
    auto response = exchange(method, target, headers, body, deadline);
    const bool repeatable = method != "POST" && method != "PATCH";
    if (!response && reused && repeatable && received_.empty() && response.error() == Errc::kIo) {
      socket_.reset();
      response = exchange(method, target, headers, body, deadline);
    }
    if (!response) socket_.reset();
    return response;
  }

 private:
  Status ensure_connected(Deadline deadline) {
    if (socket_) return {};
    TRY(socket_, connect_to(host_, port_, clock_, deadline));
    if (tls_) CHECK_OK(socket_->handshake(*tls_, host_, deadline));
    return {};
  }

  [[nodiscard]] std::string request_head(const std::string& method, const std::string& target, const Headers& headers,
                                         std::size_t body_bytes) const {
    std::string out = method + " " + target + " HTTP/1.1\r\n";
    if (!headers.find("Host")) {
      const bool v6 = host_.find(':') != std::string::npos;
      out += "Host: " + (v6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_) + "\r\n";
    }
    for (const Header& header : headers.list()) out += header.name + ": " + header.value + "\r\n";
    const bool bodiless = method == "GET" || method == "HEAD" || method == "DELETE";
    if ((!bodiless || body_bytes > 0) && !headers.find("Content-Length")) {
      out += "Content-Length: " + std::to_string(body_bytes) + "\r\n";
    }
    return out + "\r\n";
  }

  Result<ClientResponse> exchange(const std::string& method, const std::string& target, const Headers& headers,
                                  const std::string& body, Deadline deadline) {
    CHECK_OK(ensure_connected(deadline));
    CHECK_OK(socket_->write(as_bytes(request_head(method, target, headers, body.size())), deadline));
    // A server that refuses early closes while we still write; what it said is worth more than that error.
    const auto written = socket_->write(as_bytes(body), deadline);
    if (!written && !(written.error() == Errc::kIo)) return fail(written.error());
    AnswerHead head;
    do {
      TRY(head, read_head(deadline));
    } while (head.response.status < 200);
    const bool bodiless = method == "HEAD" || head.response.status == 204 || head.response.status == 304;
    if (!bodiless) CHECK_OK(read_body(head, deadline));
    if (!head.keep_alive || !written) socket_.reset();
    return std::move(head.response);
  }

  Result<std::size_t> receive(Deadline deadline) {
    const std::size_t had = received_.size();
    received_.resize(had + kReadBytes);
    auto count = socket_->read({reinterpret_cast<std::uint8_t*>(received_.data()) + had, kReadBytes}, deadline);
    received_.resize(had + count.value_or(0));
    return count;
  }

  Result<AnswerHead> read_head(Deadline deadline) {
    std::size_t end = received_.find("\r\n\r\n");
    while (end == std::string::npos) {
      if (received_.size() > kMaxHeadBytes) return malformed();
      const std::size_t from = received_.size() < 3 ? 0 : received_.size() - 3;
      TRY(const std::size_t count, receive(deadline));
      if (count == 0) return gone();
      end = received_.find("\r\n\r\n", from);
    }
    TRY(auto head, parse_answer_head(std::string_view(received_).substr(0, end + 4)));
    received_.erase(0, end + 4);
    return head;
  }

  Status read_body(AnswerHead& head, Deadline deadline) {
    if (head.chunked) return read_chunked(head.response.body, deadline);
    if (head.content_length.value_or(0) > kMaxBodyBytes) return too_large();
    while (!head.content_length || received_.size() < *head.content_length) {
      TRY(const std::size_t count, receive(deadline));
      if (count == 0 && head.content_length) return gone();
      if (received_.size() > kMaxBodyBytes) return too_large();
      if (count == 0) break;
    }
    if (!head.content_length) {
      head.keep_alive = false;
      head.response.body = std::move(received_);
      received_.clear();
    } else {
      head.response.body = received_.substr(0, *head.content_length);
      received_.erase(0, *head.content_length);
    }
    return {};
  }

  Status read_chunked(std::string& body, Deadline deadline) {
    ChunkedDecoder decoder;
    for (;;) {
      ByteView input = as_bytes(received_);
      for (;;) {
        TRY(const auto event, decoder.next(input));
        if (event == ChunkedDecoder::Event::kNeedMore) break;
        if (event == ChunkedDecoder::Event::kEnd) {
          received_.erase(0, received_.size() - input.size());
          return {};
        }
        body += as_text(decoder.data());
        if (body.size() > kMaxBodyBytes) return too_large();
      }
      received_.clear();
      TRY(const std::size_t count, receive(deadline));
      if (count == 0) return gone();
    }
  }

  static tl::unexpected<Error> too_large() {
    return fail(Errc::kInvalidArgument, "the server's answer is larger than 64 MiB");
  }

  const std::string host_;
  const std::uint16_t port_;
  const std::shared_ptr<const TlsContext> tls_;
  const std::chrono::milliseconds timeout_;
  SystemClock clock_;
  std::unique_ptr<ClientSocket> socket_;
  std::string received_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::make(std::string host, std::uint16_t port, std::string tls_ca_path,
                                             std::chrono::milliseconds timeout) {
  std::shared_ptr<const TlsContext> tls;
  if (!tls_ca_path.empty()) {
    TRY(tls, TlsContext::for_client(tls_ca_path));
  }
  return std::make_unique<HttpClient>(std::move(host), port, std::move(tls), timeout);
}

}  // namespace andromede::net
