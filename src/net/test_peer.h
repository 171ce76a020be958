// For tests of net/: a server on loopback with a small handler, and a raw peer that sends exactly what it is told.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/test_eventually.h"
#include "net/http.h"

namespace andromede::net {

// How long a test waits for an event before it fails: no measure of speed.
constexpr std::chrono::seconds kPatience{120};

// Speaks bytes, not HTTP. Every read gives up after kPatience, so that a test fails rather than hangs.
class RawPeer {
 public:
  // `from`: the address of ours to connect from; empty: the kernel chooses.
  explicit RawPeer(std::uint16_t port, int receive_buffer_bytes = 0, const std::string& from = {})
      : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer_bytes > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (!from.empty()) {
      EXPECT_EQ(::inet_pton(AF_INET, from.c_str(), &address.sin_addr), 1);
      EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  RawPeer(RawPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}
  RawPeer& operator=(RawPeer&&) = delete;
  ~RawPeer() { close(); }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger abort{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close();
  }
  void close_write() const { ::shutdown(fd_, SHUT_WR); }
  [[nodiscard]] int fd() const { return fd_; }

  // False when the server is gone.
  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // Until `text` was received, which is removed with what came before it and returned; all that came when the
  // connection ended first.
  std::string read_until(std::string_view text) {
    for (;;) {
      if (const auto at = received_.find(text); at != std::string::npos) return take(at + text.size());
      if (!receive()) return take(received_.size());
    }
  }
  std::string read_exactly(std::size_t count) {
    while (received_.size() < count && receive()) {
    }
    return take(std::min(count, received_.size()));
  }
  std::string read_all() {
    while (receive()) {
    }
    return take(received_.size());
  }
  // A response's head, and the body that its Content-Length announces.
  std::string read_response() {
    std::string response = read_until("\r\n\r\n");
    const auto at = response.find("Content-Length: ");
    if (at != std::string::npos) response += read_exactly(std::stoul(response.substr(at + 16)));
    return response;
  }
  // Whether the server closes within `timeout` without saying more.
  bool closed_within(std::chrono::milliseconds timeout) {
    if (!readable_within(timeout)) return false;
    char byte;
    return ::recv(fd_, &byte, 1, MSG_PEEK) <= 0;
  }
  [[nodiscard]] bool readable_within(std::chrono::milliseconds timeout) const {
    pollfd waiting{fd_, POLLIN, 0};
    return ::poll(&waiting, 1, static_cast<int>(timeout.count())) == 1;
  }

 private:
  bool receive() {
    if (!readable_within(kPatience)) {
      ADD_FAILURE() << "the server says nothing";
      return false;
    }
    char bytes[65536];
    const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }
  std::string take(std::size_t count) {
    std::string taken = received_.substr(0, count);
    received_.erase(0, count);
    return taken;
  }

  int fd_;
  std::string received_;
};

// What the handler of tests was told to wait for, and what it saw.
struct HandlerState {
  OneShot<bool> gate;  // "/gate" waits for it
  std::atomic<int> at_gate{0};
  std::atomic<int> body_errors{0};   // of reads
  std::atomic<int> write_errors{0};  // of responses and their streams
  std::atomic<int> requests{0};
  std::atomic<int> stalls{0};  // of "/some": the peer had no room
  std::atomic<std::size_t> sent_at_first_stall{0};
  std::atomic<std::uint64_t> rounds{0};  // of the loop, seen by "/rounds", which ends with "/run"
  std::atomic<bool> run_over{false};
  std::atomic<std::size_t> longest_run{0};  // of "/run": bytes of its body that were read without a round between them
};

inline ResponseHead response_head(unsigned status) {
  ResponseHead head;
  head.status = status;
  return head;
}

inline Task<void> echo(Exchange& exchange, HandlerState& state, bool only_size) {
  std::string body;
  std::uint64_t size = 0;
  for (;;) {
    const auto piece = co_await exchange.body().read();
    if (!piece) {
      ++state.body_errors;
      const unsigned status = piece.error() == Errc::kTimeout ? 408 : 400;
      (void)co_await exchange.respond(response_head(status), piece.error().message());
      co_return;
    }
    if (piece->empty()) break;
    size += piece->size();
    if (!only_size) body += as_text(*piece);
  }
  if (only_size) body = std::to_string(size);
  if (!co_await exchange.respond(response_head(200), std::move(body))) ++state.write_errors;
}

// 8 MiB in pieces of 64 KiB, each filled with its number.
constexpr std::size_t kStreamPieces = 128;
constexpr std::size_t kStreamPieceBytes = 64 * 1024;

inline Task<void> stream(Exchange& exchange, HandlerState& state, bool announced) {
  const auto length = announced ? std::optional<std::uint64_t>(kStreamPieces * kStreamPieceBytes) : std::nullopt;
  auto status = co_await exchange.start(response_head(200), length);
  for (std::size_t i = 0; status && i < kStreamPieces && exchange.head().method != "HEAD"; ++i) {
    const Bytes piece(kStreamPieceBytes, static_cast<std::uint8_t>(i));
    status = co_await exchange.sink().write(piece);
  }
  if (status) status = co_await exchange.finish();
  if (!status) ++state.write_errors;
}

inline std::string streamed_body() {
  std::string body;
  for (std::size_t i = 0; i < kStreamPieces; ++i) body.append(kStreamPieceBytes, static_cast<char>(i));
  return body;
}

// The same bytes by write_some(); what the peer has no room for is written later, from other memory, in other pieces.
inline Task<void> stream_some(Exchange& exchange, HandlerState& state) {
  const std::string body = streamed_body();
  auto status = co_await exchange.start(response_head(200), body.size());
  std::size_t most = kStreamPieceBytes * 3;
  for (std::size_t sent = 0; status && sent < body.size();) {
    const Bytes piece = to_bytes(std::string_view(body).substr(sent, most));
    const auto taken = co_await exchange.sink().write_some(piece);
    if (!taken) {
      status = fail(taken.error());
      break;
    }
    sent += *taken;
    if (*taken == piece.size()) continue;
    if (state.stalls == 0) state.sent_at_first_stall = sent;
    ++state.stalls;
    most = most == 1'000 ? kStreamPieceBytes * 3 : 1'000;  // less than a record of TLS, and more
    status = co_await exchange.sink().ready();
  }
  if (status) status = co_await exchange.finish();
  if (!status) ++state.write_errors;
}

struct NextRound {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  static void await_suspend(std::coroutine_handle<> waiter) { Scheduler::current()->post(waiter); }
  static void await_resume() noexcept {}
};

// On a server with one loop, together with run().
inline Task<void> count_rounds(Exchange& exchange, HandlerState& state) {
  for (; !state.run_over; ++state.rounds) co_await NextRound{};
  (void)co_await exchange.respond(response_head(200), {});
}

// Reads a body, of which each piece takes some work.
inline Task<void> run(Exchange& exchange, HandlerState& state) {
  std::uint64_t round = state.rounds;
  std::size_t size = 0;
  for (std::size_t run = 0;;) {
    const auto piece = co_await exchange.body().read();
    if (!piece || piece->empty()) break;
    if (std::exchange(round, state.rounds) != round) run = 0;
    run += piece->size();
    size += piece->size();
    state.longest_run = std::max<std::size_t>(state.longest_run, run);
    const auto began = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - began < std::chrono::microseconds(10)) {
    }
  }
  state.run_over = true;
  (void)co_await exchange.respond(response_head(200), std::to_string(size));
}

inline Task<void> handle(Exchange& exchange, HandlerState& state) {
  ++state.requests;
  const std::string& target = exchange.head().target;
  if (target == "/open") exchange.admit_anybody();
  if (target != "/early" && target != "/open") exchange.admit("tenant");
  if (target == "/echo" || target == "/size") {
    co_await echo(exchange, state, target == "/size");
  } else if (target == "/stream" || target == "/chunks") {
    co_await stream(exchange, state, target == "/stream");
  } else if (target == "/some") {
    co_await stream_some(exchange, state);
  } else if (target == "/rounds") {
    co_await count_rounds(exchange, state);
  } else if (target == "/run") {
    co_await run(exchange, state);
  } else if (target == "/gate") {
    ++state.at_gate;
    co_await state.gate;
    if (!co_await exchange.respond(response_head(200), "opened")) ++state.write_errors;
  } else if (target == "/early") {
    (void)co_await exchange.respond(response_head(403), "refused");
  } else if (target == "/short") {
    (void)co_await exchange.start(response_head(200), 100);
    (void)co_await exchange.sink().write(as_bytes("ten bytes."));
    if (!co_await exchange.finish()) ++state.write_errors;
  } else if (target == "/throw") {
    throw std::runtime_error("a defect");
  } else if (target == "/empty") {
    (void)co_await exchange.respond(response_head(204), {});
  } else if (target == "/silent") {
    co_return;
  } else if (target == "/who") {
    (void)co_await exchange.respond(response_head(200),
                                    exchange.head().peer_address + (exchange.head().tls ? " tls" : " plain"));
  } else if (target == "/peer") {
    (void)co_await exchange.respond(response_head(200), exchange.head().peer);
  } else {
    (void)co_await exchange.respond(response_head(200), "hello");
  }
}

// A server with that handler. `state` lives as long. Time stands still for it but for what a test lets pass: no limit
// is reached because the machine is slow.
class TestServer {
 public:
  explicit TestServer(ListenOptions options = {}, unsigned loops = 2) : loops_(loops, clock_) {
    HandlerState* const state = &state_;
    auto started =
        Server::start(loops_, std::move(options), [state](Exchange& e) { return handle(e, *state); }, metrics_);
    EXPECT_TRUE(started) << started.error().message();
    if (started) server_ = std::move(*started);
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] RawPeer peer() const { return RawPeer(port()); }
  [[nodiscard]] HandlerState& state() { return state_; }
  [[nodiscard]] Server& server() { return *server_; }
  [[nodiscard]] Loops& loops() { return loops_; }
  [[nodiscard]] ManualClock& clock() { return clock_; }
  // What has passed for it.
  [[nodiscard]] std::chrono::milliseconds elapsed() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady().time_since_epoch());
  }
  // Lets time pass, and waits until the server has done what was due by then, and has read what had been sent.
  void pass(std::chrono::milliseconds by) {
    // After a jump one tick forgives; the next one looks at what is due; at the third one what that led to has run.
    for (const auto step : {by, std::chrono::milliseconds(1), std::chrono::milliseconds(1)}) {
      clock_.advance(step);
      EXPECT_TRUE(eventually([&] { return loops_.slowest_heartbeat() == std::chrono::milliseconds(0); }));
    }
  }
  // The value of a metric of listener "s3", or -1.
  [[nodiscard]] double metric(const std::string& name) const {
    const std::string text = metrics_.render();
    const std::string line = "\n" + name + "{listener=\"s3\"} ";
    const auto at = text.find(line);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size()));
  }
  [[nodiscard]] double accepted() const { return metric("andromede_http_connections_accepted_total"); }

 private:
  HandlerState state_;
  Metrics metrics_;
  ManualClock clock_{{}};
  Loops loops_;
  std::unique_ptr<Server> server_;
};

inline std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

}  // namespace andromede::net
