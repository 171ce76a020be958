#include "net/http_client.h"

#include <gtest/gtest.h>

#include <thread>

#include "net/test_peer.h"

namespace andromede::net {
namespace {

using std::chrono::milliseconds;

std::unique_ptr<Client> client_of(std::uint16_t port, milliseconds timeout = kPatience) {
  auto client = Client::make("127.0.0.1", port, {}, timeout);
  EXPECT_TRUE(client);
  return std::move(*client);
}

// Accepts one connection after the other and gives each one of `answers`, whatever was asked.
class CannedServer {
 public:
  explicit CannedServer(std::vector<std::string> answers)
      : answers_(std::move(answers)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 10), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~CannedServer() {
    thread_.join();
    ::close(listener_);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void serve() const {
    for (const std::string& answer : answers_) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      char request[4096];
      EXPECT_GT(::recv(fd, request, sizeof request, 0), 0);
      ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(fd);
    }
  }

  const std::vector<std::string> answers_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST(HttpClient, KeepsItsConnection) {
  TestServer server;
  const auto client = client_of(server.port());
  EXPECT_EQ(client->request("GET", "/", {}, {})->body, "hello");
  EXPECT_EQ(client->request("POST", "/echo", {}, "abc")->body, "abc");
  EXPECT_EQ(client->request("HEAD", "/stream", {}, {})->headers.find("content-length"), "8388608");
  EXPECT_EQ(client->request("DELETE", "/empty", {}, {})->status, 204U);
  EXPECT_TRUE(client->request("GET", "/stream", {}, {})->body == streamed_body());
  EXPECT_TRUE(client->request("GET", "/chunks", {}, {})->body == streamed_body());
  EXPECT_EQ(client->request("GET", "/who", {}, {})->body, "127.0.0.1 plain");
  EXPECT_EQ(server.metric("andromede_http_connections_accepted_total"), 1);
}

TEST(HttpClient, ConnectsAgainWhenTheServerClosed) {
  ListenOptions options;
  options.limits.idle_timeout = milliseconds(500);
  TestServer server(std::move(options));
  const auto client = client_of(server.port());
  EXPECT_TRUE(client->request("GET", "/", {}, {}));
  server.pass(milliseconds(600));
  EXPECT_TRUE(eventually([&] { return server.metric("andromede_http_connections") == 0; }));
  EXPECT_TRUE(client->request("POST", "/echo", {}, "x"));
  EXPECT_EQ(server.metric("andromede_http_connections_accepted_total"), 2);
}

TEST(HttpClient, HearsARefusalWhileItSends) {
  TestServer server;
  const auto client = client_of(server.port());
  const auto response = client->request("PUT", "/early", {}, std::string(8 << 20, 'x'));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 403U);
  EXPECT_TRUE(client->request("GET", "/", {}, {}));
}

TEST(HttpClient, GivesUpInTime) {
  TestServer server;
  const auto client = client_of(server.port(), milliseconds(200));
  EXPECT_TRUE(client->request("GET", "/gate", {}, {}).error() == Errc::kTimeout);
  server.state().gate.set(true);
}

TEST(HttpClient, SaysWhenNobodyListens) {
  const auto client = client_of(1);
  const auto response = client->request("GET", "/", {}, {});
  ASSERT_FALSE(response);
  EXPECT_TRUE(response.error() == Errc::kIo);
  EXPECT_NE(response.error().message().find("127.0.0.1:1"), std::string::npos);
}

TEST(HttpClient, ReadsABodyUntilTheConnectionEnds) {
  const CannedServer server({"HTTP/1.0 200 OK\r\n\r\nall of it"});
  EXPECT_EQ(client_of(server.port())->request("GET", "/", {}, {})->body, "all of it");
}

TEST(HttpClient, SendsNothingThatCouldForgeARequest) {
  TestServer server;
  const auto client = client_of(server.port());
  Headers forged;
  forged.add("X", "a\r\nY: b");
  EXPECT_TRUE(client->request("GET", "/ HTTP/1.1\r\nX: y", {}, {}).error() == Errc::kInvalidArgument);
  EXPECT_TRUE(client->request("GET", "/a b", {}, {}).error() == Errc::kInvalidArgument);
  EXPECT_TRUE(client->request("GET", "/", forged, {}).error() == Errc::kInvalidArgument);
  EXPECT_EQ(server.state().requests, 0);
}

TEST(HttpClient, SpeaksIpv6) {
  ListenOptions options;
  options.address = "::1";
  TestServer server(std::move(options));
  auto client = Client::make("::1", server.port(), {}, kPatience);
  ASSERT_TRUE(client);
  const auto response = (*client)->request("GET", "/who", {}, {});
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->body, "::1 plain");
  const auto peer = (*client)->request("GET", "/peer", {}, {});
  ASSERT_TRUE(peer) << peer.error().message();
  EXPECT_EQ(peer->body, "::/64") << "whatever one host counts for, it counts for all addresses that it can take";
}

TEST(HttpClient, AnIpv4HostIsAPeerOfItsOwn) {
  TestServer server;
  auto client = Client::make("127.0.0.1", server.port(), {}, std::chrono::seconds(5));
  ASSERT_TRUE(client);
  const auto peer = (*client)->request("GET", "/peer", {}, {});
  ASSERT_TRUE(peer) << peer.error().message();
  EXPECT_EQ(peer->body, "127.0.0.1");
}

TEST(HttpClient, SkipsInterimAnswers) {
  const CannedServer server({"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"});
  EXPECT_EQ(client_of(server.port())->request("GET", "/", {}, {})->body, "ok");
}

TEST(HttpClient, RefusesAnswersThatAreBroken) {
  const std::vector<std::string> answers = {
      "",
      "SSH-2.0-OpenSSH\r\n\r\n",
      "HTTP/1.1 abc\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 12x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'),
  };
  const CannedServer server(answers);
  for (const std::string& answer : answers) {
    const auto response = client_of(server.port())->request("GET", "/", {}, {});
    ASSERT_FALSE(response) << answer.substr(0, 80);
    EXPECT_TRUE(response.error() == Errc::kIo) << response.error().message();
  }
  const CannedServer framing({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                              "HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n"});
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(client_of(framing.port())->request("GET", "/", {}, {}).error() == Errc::kInvalidArgument);
  }
}

}  // namespace
}  // namespace andromede::net
