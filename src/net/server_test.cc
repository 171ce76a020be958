// What a request and its response may look like, over real sockets.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/stretch.h"
#include "net/chunked_decoder.h"
#include "net/test_peer.h"

namespace andromede::net {
namespace {

using std::chrono::milliseconds;

std::string dechunk(std::string_view text) {
  ChunkedDecoder decoder;
  ByteView input = as_bytes(text);
  std::string body;
  for (;;) {
    const auto event = decoder.next(input);
    if (!event || *event == ChunkedDecoder::Event::kNeedMore) return "broken";
    if (*event == ChunkedDecoder::Event::kEnd) return input.empty() ? body : "more than one body";
    body += as_text(decoder.data());
  }
}

std::string post(std::string_view target, std::string_view headers, std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

std::string post_sized(std::string_view target, std::string_view body) {
  return post(target, "Content-Length: " + std::to_string(body.size()) + "\r\n", body);
}

TEST(Server, AnswersWithItsOwnFraming) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(get("/"));
  const std::string response = peer.read_response();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << response;
  EXPECT_TRUE(response.ends_with(" GMT\r\nContent-Length: 5\r\n\r\nhello")) << response;
}

TEST(Server, TellsWhoAsks) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(get("/who"));
  EXPECT_TRUE(peer.read_response().ends_with("127.0.0.1 plain"));
}

TEST(Server, TakesAHeadByteByByte) {
  TestServer server;
  RawPeer peer = server.peer();
  for (int round = 0; round < 2; ++round) {
    for (const char c : post_sized("/echo", "body")) peer.send({&c, 1});
    EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\nbody"));
  }
}

TEST(Server, GrowsForAHeadThatFillsItsLimit) {
  ListenOptions options;
  options.limits.head_bytes = 200 * 1024;
  TestServer server(std::move(options));
  RawPeer peer = server.peer();
  peer.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(190 * 1024, 'x') + "\r\n\r\n" + get("/who"));
  EXPECT_TRUE(peer.read_response().ends_with("hello"));
  EXPECT_TRUE(peer.read_response().ends_with("plain"));
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(post_sized("/echo", "one") + get("/") +
            post("/echo", "Transfer-Encoding: chunked\r\n", "3\r\ntwo\r\n0\r\n\r\n") + "\r\n" + get("/empty") +
            post_sized("/size", "four"));
  EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\none"));
  EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\nhello"));
  EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\ntwo"));
  EXPECT_TRUE(peer.read_response().starts_with("HTTP/1.1 204 No Content\r\n"));
  EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\n4"));
}

TEST(Server, AnswersAFloodOfPipelinedRequests) {
  TestServer server;
  RawPeer peer = server.peer();
  constexpr int kRequests = 3000;
  std::thread sender([&peer] {
    std::string all;
    for (int i = 0; i < kRequests; ++i) all += post_sized("/echo", std::to_string(i));
    EXPECT_TRUE(peer.send(all));
  });
  for (int i = 0; i < kRequests; ++i) ASSERT_TRUE(peer.read_response().ends_with("\r\n\r\n" + std::to_string(i)));
  sender.join();
}

TEST(Server, HeadRequestsHaveNoBody) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(peer.read_until("\r\n\r\n").ends_with("Content-Length: 5\r\n\r\n"));
  peer.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(peer.read_until("\r\n\r\n").ends_with("Content-Length: 8388608\r\n\r\n"));
  peer.send("HEAD /chunks HTTP/1.1\r\nHost: a\r\n\r\n" + get("/"));
  EXPECT_EQ(peer.read_until("\r\n\r\n").find("Content-Length"), std::string::npos);
  EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\nhello"));
}

TEST(Server, StatusesWithoutBodyHaveNoLength) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(get("/empty") + get("/"));
  const std::string head = peer.read_until("\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 204 "));
  EXPECT_EQ(head.find("Content-Length"), std::string::npos);
  EXPECT_TRUE(peer.read_response().ends_with("hello"));
}

TEST(Server, Http10ClosesUnlessAsked) {
  TestServer server;
  RawPeer closing = server.peer();
  closing.send("GET / HTTP/1.0\r\n\r\n");
  const std::string all = closing.read_all();
  EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(all.ends_with("hello"));
  RawPeer keeping = server.peer();
  for (int i = 0; i < 2; ++i) {
    keeping.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(keeping.read_response().find("Connection: keep-alive\r\n"), std::string::npos);
  }
}

TEST(Server, Http10StreamsEndWithTheConnection) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string head = peer.read_until("\r\n\r\n");
  EXPECT_EQ(head.find("Transfer-Encoding"), std::string::npos);
  EXPECT_NE(head.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(peer.read_all() == streamed_body());
}

TEST(Server, ClosesWhenTheClientAsks) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get("/"));
  EXPECT_TRUE(peer.read_all().ends_with("\r\nConnection: close\r\n\r\nhello"));
  EXPECT_EQ(server.state().requests, 1);
}

TEST(Server, StreamsWithAndWithoutLength) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(get("/stream"));
  EXPECT_TRUE(peer.read_response().ends_with(streamed_body()));
  peer.send("GET /chunks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(peer.read_until("\r\n\r\n").find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(dechunk(peer.read_all()) == streamed_body());
}

TEST(Server, WhoLetsAStreamWaitGetsItWhole) {
  TestServer server;
  RawPeer peer(server.port(), 4096);
  peer.send(get("/some"));
  ASSERT_TRUE(eventually([&] {
    server.pass(std::chrono::milliseconds(101));
    return server.state().stalls >= 1;
  }));
  peer.read_until("\r\n\r\n");
  EXPECT_LT(server.state().sent_at_first_stall, 1'000'000U) << "what the kernel takes for one that does not read";
  // More than the third of its buffer that the kernel wants free before it says that there is room.
  std::string body = peer.read_exactly(2'200'000);
  ASSERT_TRUE(eventually([&] {
    server.pass(std::chrono::milliseconds(101));
    return server.state().stalls >= 2;
  }));
  body += peer.read_exactly(kStreamPieces * kStreamPieceBytes - body.size());
  EXPECT_TRUE(body == streamed_body());
  // The connection goes on.
  peer.send(get("/"));
  EXPECT_NE(peer.read_response().find("hello"), std::string::npos);
  EXPECT_EQ(server.state().write_errors, 0);
}

TEST(Server, TakesLargeBodiesWhole) {
  TestServer server;
  std::string body;
  for (int i = 0; body.size() < (3U << 20); ++i) body += std::to_string(i) + ",";
  std::string chunked;
  for (std::size_t at = 0, size = 1; at < body.size(); at += size, size = size * 3 % 70'001 + 1) {
    char line[32];
    std::snprintf(line, sizeof line, "%zx\r\n", std::min(size, body.size() - at));
    chunked += line + body.substr(at, size) + "\r\n";
  }
  chunked += "0\r\nX-Trailer: ignored\r\n\r\n";
  RawPeer peer = server.peer();
  std::thread sender([&] {
    peer.send(post_sized("/echo", body) + post("/echo", "Transfer-Encoding: chunked\r\n", chunked) + get("/"));
  });
  EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\n" + body));
  EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\n" + body));
  EXPECT_TRUE(peer.read_response().ends_with("hello"));
  sender.join();
}

TEST(Server, AnswersAClientThatHasClosedItsSide) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(post_sized("/echo", "last words"));
  peer.close_write();
  EXPECT_TRUE(peer.read_all().ends_with("\r\n\r\nlast words"));
  RawPeer pipelined = server.peer();
  pipelined.send(get("/stream") + get("/"));
  pipelined.close_write();
  const std::string all = pipelined.read_all();
  EXPECT_GT(all.size(), kStreamPieces * kStreamPieceBytes);
  EXPECT_TRUE(all.ends_with("\r\n\r\nhello"));
}

TEST(Server, SaysContinueWhenTheBodyIsRead) {
  TestServer server;
  RawPeer peer = server.peer();
  for (int i = 0; i < 2; ++i) {
    peer.send(post("/echo", "Content-Length: 4\r\nExpect: 100-continue\r\n", ""));
    EXPECT_EQ(peer.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send("body");
    EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\nbody"));
  }
  peer.send(post("/echo", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(peer.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.send("4\r\nbody\r\n0\r\n\r\n");
  EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\nbody"));
}

TEST(Server, SaysContinueForAnEmptyBody) {
  TestServer server;
  RawPeer peer = server.peer();
  for (int i = 0; i < 2; ++i) {
    peer.send(post("/echo", "Content-Length: 0\r\nExpect: 100-continue\r\n", ""));
    EXPECT_EQ(peer.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_TRUE(peer.read_response().starts_with("HTTP/1.1 200 OK\r\n"));
  }
}

TEST(Server, DoesNotSayContinueForABodyThatIsThere) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(post("/echo", "Content-Length: 4\r\nExpect: 100-continue\r\n", "body"));
  EXPECT_TRUE(peer.read_response().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST(Server, NeverSaysContinueForABodyThatNobodyReads) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(post("/early", "Content-Length: 4\r\nExpect: 100-continue\r\n", ""));
  const std::string all = peer.read_all();
  EXPECT_TRUE(all.starts_with("HTTP/1.1 403 Forbidden\r\n")) << all;
  EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(all.find("100 Continue"), std::string::npos);
}

TEST(Server, DrainsAShortUnreadBody) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(post_sized("/early", std::string(100'000, 'x')) + get("/"));
  EXPECT_TRUE(peer.read_response().ends_with("refused"));
  EXPECT_TRUE(peer.read_response().ends_with("hello"));
  peer.send(post("/early", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n") + get("/"));
  EXPECT_TRUE(peer.read_response().ends_with("refused"));
  EXPECT_TRUE(peer.read_response().ends_with("hello"));
}

TEST(Server, ClosesAfterALongUnreadBodyButIsHeard) {
  TestServer server;
  RawPeer peer = server.peer();
  // A client that writes its whole body before it reads: a reset would take the response from it.
  EXPECT_TRUE(peer.send(post_sized("/early", std::string(8 << 20, 'x'))));
  peer.send(get("/"));
  peer.close_write();
  const std::string all = peer.read_all();
  EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(all.ends_with("refused"));
  EXPECT_EQ(server.state().requests, 1);
}

TEST(Server, IsHeardByAClientThatSendsOnBehindItsLastRequest) {
  TestServer server;
  RawPeer peer = server.peer();
  EXPECT_TRUE(peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + std::string(8 << 20, 'x')));
  peer.close_write();
  EXPECT_TRUE(peer.read_all().ends_with("hello"));
  EXPECT_EQ(server.state().requests, 1);
}

TEST(Server, ClosesWhenAnUnreadChunkedBodyIsTooLong) {
  ListenOptions options;
  options.limits.drain_bytes = 1000;
  TestServer server(std::move(options));
  RawPeer peer = server.peer();
  std::string chunks;
  for (int i = 0; i < 30; ++i) chunks += "64\r\n" + std::string(100, 'x') + "\r\n";
  peer.send(post("/early", "Transfer-Encoding: chunked\r\n", chunks + "0\r\n\r\n") + get("/"));
  peer.close_write();
  EXPECT_TRUE(peer.read_all().ends_with("refused"));
}

TEST(Server, AnswersForAHandlerThatDoesNot) {
  TestServer server;
  for (const char* target : {"/throw", "/silent"}) {
    RawPeer peer = server.peer();
    peer.send(get(target));
    const std::string all = peer.read_all();
    EXPECT_TRUE(all.starts_with("HTTP/1.1 500 Internal Server Error\r\n")) << all;
    EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
  }
}

TEST(Server, BreaksTheConnectionOfAShortStream) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(get("/short") + get("/"));
  const std::string all = peer.read_all();
  EXPECT_EQ(all.find("hello"), std::string::npos);
  EXPECT_EQ(server.state().write_errors, 1);
  EXPECT_EQ(server.state().requests, 1);
}

TEST(Server, RefusesAndClosesWithoutServingWhatFollows) {
  TestServer server;
  const std::pair<std::string, unsigned> table[] = {
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
      {"\x16\x03\x01\x02", 400},
  };
  double refused = 0;
  for (const auto& [request, status] : table) {
    RawPeer peer = server.peer();
    peer.send(request + get("/"));
    peer.close_write();
    const std::string all = peer.read_all();
    EXPECT_TRUE(all.starts_with("HTTP/1.1 " + std::to_string(status) + " ")) << request << "\n->\n" << all;
    EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos) << all;
    EXPECT_EQ(all.find("hello"), std::string::npos) << request;
    EXPECT_EQ(server.metric("andromede_http_protocol_errors_total"), ++refused);
  }
  EXPECT_EQ(server.state().requests, 0);
}

TEST(Server, LetsTheOwnerRenderItsErrors) {
  ListenOptions options;
  options.error_content_type = "application/xml";
  options.render_error = [](unsigned status, std::string_view message) {
    return "<Error>" + std::to_string(status) + " " + std::string(message) + "</Error>";
  };
  TestServer server(std::move(options));
  RawPeer peer = server.peer();
  peer.send("GET / HTTP/1.1\r\n\r\n");
  peer.close_write();
  const std::string all = peer.read_all();
  EXPECT_NE(all.find("Content-Type: application/xml\r\n"), std::string::npos);
  EXPECT_TRUE(all.ends_with("<Error>400 The Host header is missing.</Error>")) << all;
}

TEST(Server, BrokenChunksReachTheHandlerAndEndTheConnection) {
  TestServer server;
  for (const std::string body : {"5\r\nhello!\r\n0\r\n\r\n", "zz\r\n", "5\nhello\r\n0\r\n\r\n", "-1\r\n"}) {
    RawPeer peer = server.peer();
    peer.send(post("/echo", "Transfer-Encoding: chunked\r\n", body) + get("/"));
    peer.close_write();
    const std::string all = peer.read_all();
    EXPECT_TRUE(all.starts_with("HTTP/1.1 400 ")) << all;
    EXPECT_EQ(all.find("hello\r\n"), std::string::npos);
  }
  EXPECT_EQ(server.state().body_errors, 4);
  EXPECT_EQ(server.state().requests, 4);
}

TEST(Server, NoticesPeersThatVanish) {
  TestServer server;
  {
    RawPeer mid_head = server.peer();
    mid_head.send("GET / HT");
    RawPeer mid_body = server.peer();
    mid_body.send(post("/echo", "Content-Length: 1000\r\n", "only this"));
    RawPeer mid_chunk = server.peer();
    mid_chunk.send(post("/echo", "Transfer-Encoding: chunked\r\n", "5\r\nhel"));
    mid_chunk.close_write();
    RawPeer mid_response = server.peer();
    mid_response.send(get("/stream"));
    mid_response.read_exactly(100'000);
    mid_response.reset();
    mid_body.reset();
    EXPECT_TRUE(mid_chunk.read_all().starts_with("HTTP/1.1 400 "));
  }
  EXPECT_TRUE(eventually([&] { return server.metric("andromede_http_connections") == 0; }));
  EXPECT_EQ(server.state().body_errors, 2);
  EXPECT_EQ(server.state().write_errors, 1);
  RawPeer after = server.peer();
  after.send(get("/"));
  EXPECT_TRUE(after.read_response().ends_with("hello"));
}

TEST(Server, CountsBytesAndConnections) {
  TestServer server;
  const std::string request = get("/");
  std::string response;
  {
    RawPeer peer = server.peer();
    peer.send(request);
    response = peer.read_response();
    EXPECT_EQ(server.metric("andromede_http_connections"), 1);
  }
  EXPECT_TRUE(eventually([&] { return server.metric("andromede_http_connections") == 0; }));
  EXPECT_EQ(server.metric("andromede_http_connections_accepted_total"), 1);
  EXPECT_EQ(server.metric("andromede_http_received_bytes_total"), static_cast<double>(request.size()));
  EXPECT_EQ(server.metric("andromede_http_sent_bytes_total"), static_cast<double>(response.size()));
}

// A buffer holds tens of thousands of them.
TEST(Server, TinyChunksLeaveTheLoopToOthersInBetween) {
  TestServer server({}, 1);
  RawPeer other = server.peer();
  other.send(get("/rounds"));
  ASSERT_TRUE(eventually([&] { return server.state().rounds > 0; }));
  std::string body;
  for (int i = 0; i < 5'000; ++i) body += "1\r\nx\r\n";
  RawPeer peer = server.peer();
  peer.send(post("/run", "Transfer-Encoding: chunked\r\n", body + "0\r\n\r\n"));
  EXPECT_TRUE(peer.read_response().ends_with("\r\n\r\n5000"));
  other.read_response();
  EXPECT_LE(server.state().longest_run, 2 * Stretch::kMany);
}

TEST(Server, SaysWhyItCannotStart) {
  TestServer server;
  Metrics metrics;
  const auto start = [&](ListenOptions options) {
    return Server::start(server.loops(), std::move(options), [](Exchange&) -> Task<void> { co_return; }, metrics);
  };
  ListenOptions taken;
  taken.port = server.port();
  const auto second = start(taken);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error() == Errc::kAlreadyExists);
  EXPECT_NE(second.error().message().find(std::to_string(server.port())), std::string::npos);
  ListenOptions bad_address;
  bad_address.address = "localhost:80";
  EXPECT_TRUE(start(bad_address).error() == Errc::kInvalidArgument);
  ListenOptions no_head;
  no_head.limits.head_bytes = 1 << 20;
  EXPECT_TRUE(start(no_head).error() == Errc::kInvalidArgument);
  ListenOptions no_tls;
  no_tls.tls = TlsFiles{"/nonexistent.pem", "/nonexistent.key"};
  EXPECT_TRUE(start(no_tls).error() == Errc::kInvalidArgument);
  EXPECT_TRUE(server.server().reload_tls().error() == Errc::kInvalidArgument);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Tries as most servers do; answers the error, or 0, and the port in place of 0.
int listen_at(int fd, std::uint16_t& port) {
  const int on = 1;
  sockaddr_in address = loopback(port);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  const bool listens = ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                       ::bind(fd, plain, sizeof address) == 0 && ::listen(fd, 1) == 0 &&
                       ::getsockname(fd, plain, &size) == 0;
  port = ntohs(address.sin_port);
  return listens ? 0 : errno;
}

TEST(Server, NobodyElseListensAtAnAddressThatWasTaken) {
  std::uint16_t port = 0;
  const int before = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(listen_at(before, port), 0);
  ::close(before);
  auto held = BoundAddress::take("127.0.0.1", port);
  ASSERT_TRUE(held) << held.error().describe();
  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(listen_at(other, port), EADDRINUSE);
  ::close(other);
  // Who connects is not let in, nor made to wait.
  const int early = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  EXPECT_NE(::connect(early, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(errno, ECONNREFUSED);
  ::close(early);
  const SystemClock clock;
  Loops loops(1, clock);
  Metrics metrics;
  const auto server = Server::start(loops, std::move(*held), {}, [](Exchange&) -> Task<void> { co_return; }, metrics);
  ASSERT_TRUE(server) << server.error().describe();
  EXPECT_EQ((*server)->port(), port);
}

TEST(Server, StartsAtAnAddressThatWasTakenBefore) {
  auto held = BoundAddress::take("127.0.0.1", 0);
  ASSERT_TRUE(held) << held.error().describe();
  const SystemClock clock;
  Loops loops(1, clock);
  Metrics metrics;
  const Handler nothing = [](Exchange&) -> Task<void> { co_return; };
  const auto server = Server::start(loops, std::move(*held), {}, nothing, metrics);
  ASSERT_TRUE(server) << server.error().describe();
  const auto taken = BoundAddress::take("127.0.0.1", (*server)->port());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error(), Errc::kAlreadyExists);
  EXPECT_NE(taken.error().message().find("127.0.0.1:" + std::to_string((*server)->port())), std::string::npos);
  EXPECT_EQ(BoundAddress::take("nowhere", 1).error(), Errc::kInvalidArgument);
  EXPECT_EQ(check_tls({"/nowhere.crt", "/nowhere.key"}).error(), Errc::kInvalidArgument);
}

}  // namespace
}  // namespace andromede::net
