#include "net/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <fstream>

#include "net/http_client.h"
#include "net/test_certificate.h"
#include "net/test_peer.h"

namespace andromede::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Tls : public testing::Test {
 protected:
  void SetUp() override { write_certificate(folder_.tls_files(), "first"); }

  ListenOptions options() const {
    ListenOptions made;
    made.tls = folder_.tls_files();
    return made;
  }
  std::unique_ptr<Client> client(const TestServer& server, const std::string& host = "127.0.0.1",
                                 const std::string& ca = {}) const {
    auto made = Client::make(host, server.port(), ca.empty() ? folder_.tls_files().certificate_path : ca, kPatience);
    EXPECT_TRUE(made);
    return std::move(*made);
  }

  TestFolder folder_;
};

// What a handshake with exactly `version` ends in: the common name of the server's certificate, or "refused".
std::string handshake(std::uint16_t port, int version, const char* ciphers = nullptr) {
  const RawPeer peer(port);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  if (ciphers != nullptr) EXPECT_EQ(SSL_CTX_set_cipher_list(context.get(), ciphers), 1);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  SSL_set_fd(ssl.get(), peer.fd());
  if (SSL_connect(ssl.get()) != 1) return "refused";
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl.get()), &X509_free);
  char name[100] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
  return name;
}

TEST_F(Tls, ServesRequests) {
  TestServer server(options());
  const auto by_address = client(server);
  for (int i = 0; i < 3; ++i) {
    const auto response = by_address->request("GET", "/who", {}, {});
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_EQ(response->body, "127.0.0.1 tls");
  }
  EXPECT_EQ(server.metric("andromede_http_connections_accepted_total"), 1);
  EXPECT_TRUE(client(server, "localhost")->request("GET", "/", {}, {}));
}

// OpenSSL would make room for all of it at once.
TEST_F(Tls, RefusesALongHelloByItsLength) {
  TestServer server(options());
  const std::string_view long_hello("\x16\x03\x01\x02\x00\x01\x01\xFF\xFF\x03\x03", 11);
  const std::string_view usual_hello("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", 11);
  RawPeer usual = server.peer();
  usual.send(usual_hello);
  RawPeer peer = server.peer();
  peer.send(long_hello);
  peer.read_all();
  EXPECT_EQ(server.metric("andromede_http_protocol_errors_total"), 1);
  server.pass(milliseconds(1));
  EXPECT_FALSE(usual.readable_within(milliseconds(0)));
}

// Silence, rubbish and hellos without an end cost no credential.
TEST_F(Tls, HandshakesThatDoNotEndGiveWay) {
  ListenOptions made = options();
  made.limits.connections = 9;
  made.limits.connections_per_peer = 4;
  TestServer server(std::move(made));
  const std::string_view kinds[] = {"", std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", 11)};
  std::vector<RawPeer> hostile;
  for (int i = 0; i < 8; ++i) {
    hostile.emplace_back(server.port(), 0, i % 2 == 0 ? "127.0.0.2" : "127.0.0.3");
    hostile.back().send(kinds[i / 2 % 2]);
  }
  ASSERT_TRUE(TestServer::eventually([&] { return server.metric("andromede_http_connections") == 8; }));
  server.pass(milliseconds(1'200));
  std::vector<std::unique_ptr<Client>> good;
  for (int i = 0; i < 3; ++i) {
    good.push_back(client(server));
    EXPECT_TRUE(good.back()->request("GET", "/", {}, {}));
  }
  EXPECT_EQ(server.metric("andromede_http_connections_gave_way_total"), 2);
  for (const auto& one : good) EXPECT_TRUE(one->request("GET", "/", {}, {}));
}

TEST_F(Tls, CarriesLargeBodiesBothWays) {
  TestServer server(options());
  const auto peer = client(server);
  std::string body;
  for (int i = 0; body.size() < (3U << 20); ++i) body += std::to_string(i) + ",";
  const auto echoed = peer->request("PUT", "/echo", {}, body);
  ASSERT_TRUE(echoed) << echoed.error().message();
  EXPECT_TRUE(echoed->body == body);
  for (const char* target : {"/stream", "/chunks"}) {
    const auto streamed = peer->request("GET", target, {}, {});
    ASSERT_TRUE(streamed) << streamed.error().message();
    EXPECT_TRUE(streamed->body == streamed_body());
  }
}

TEST_F(Tls, SpeaksOnlyVersionsAndCiphersThatAreSound) {
  TestServer server(options());
  EXPECT_EQ(handshake(server.port(), TLS1_3_VERSION), "first");
  EXPECT_EQ(handshake(server.port(), TLS1_2_VERSION), "first");
  EXPECT_EQ(handshake(server.port(), TLS1_1_VERSION), "refused");
  EXPECT_EQ(handshake(server.port(), TLS1_VERSION), "refused");
  EXPECT_EQ(handshake(server.port(), TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA"), "refused");
  EXPECT_TRUE(TestServer::eventually([&] { return server.metric("andromede_http_protocol_errors_total") == 3; }));
}

TEST_F(Tls, ReloadsForConnectionsToCome) {
  TestServer server(options());
  const auto before = client(server);
  ASSERT_TRUE(before->request("GET", "/", {}, {}));
  write_certificate(folder_.tls_files(), "second");
  EXPECT_EQ(handshake(server.port(), TLS1_3_VERSION), "first");
  ASSERT_TRUE(server.server().reload_tls());
  EXPECT_EQ(handshake(server.port(), TLS1_3_VERSION), "second");
  EXPECT_TRUE(before->request("GET", "/", {}, {}));  // on its old connection
  EXPECT_TRUE(client(server)->request("GET", "/", {}, {}));
}

TEST_F(Tls, KeepsTheOldCertificateWhenTheNewOneIsBad) {
  TestServer server(options());
  const TestFolder other;
  write_certificate(other.tls_files(), "other");
  std::filesystem::copy_file(other.tls_files().key_path, folder_.tls_files().key_path,
                             std::filesystem::copy_options::overwrite_existing);
  const auto mismatched = server.server().reload_tls();
  ASSERT_FALSE(mismatched);
  EXPECT_TRUE(mismatched.error() == Errc::kInvalidArgument);
  EXPECT_NE(mismatched.error().message().find(folder_.tls_files().key_path), std::string::npos);
  std::ofstream(folder_.tls_files().certificate_path) << "not a certificate";
  EXPECT_FALSE(server.server().reload_tls());
  EXPECT_EQ(handshake(server.port(), TLS1_3_VERSION), "first");
}

TEST_F(Tls, ClientRefusesStrangers) {
  TestServer server(options());
  const TestFolder other;
  write_certificate(other.tls_files(), "other");
  const auto stranger = client(server, "127.0.0.1", other.tls_files().certificate_path)->request("GET", "/", {}, {});
  ASSERT_FALSE(stranger);
  EXPECT_TRUE(stranger.error() == Errc::kIo);
  EXPECT_NE(stranger.error().message().find("self-signed"), std::string::npos) << stranger.error().message();
  const auto wrong_name = client(server, "127.0.0.2")->request("GET", "/", {}, {});
  ASSERT_FALSE(wrong_name);
  EXPECT_FALSE(Client::make("localhost", 1, folder_.file("absent.pem"), seconds(1)));
}

TEST_F(Tls, CutsHandshakesThatStallAndPlainHttp) {
  ListenOptions made = options();
  made.limits.head_timeout = milliseconds(300);
  TestServer server(std::move(made));
  RawPeer silent = server.peer();
  RawPeer plain = server.peer();
  plain.send(get("/"));
  ASSERT_TRUE(TestServer::eventually([&] { return server.accepted() == 2; }));
  for (int i = 0; i < 2; ++i) server.pass(milliseconds(350));
  EXPECT_EQ(plain.read_all().find("HTTP/1.1"), std::string::npos);
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_EQ(server.metric("andromede_http_protocol_errors_total"), 2);
  EXPECT_EQ(server.state().requests, 0);
}

// A client of OpenSSL itself, which tells an end that was announced from one that may be an attacker's.
struct TlsPeer {
  // Offers `session` where there is one.
  explicit TlsPeer(std::uint16_t port, SSL_SESSION* session = nullptr, int receive_buffer_bytes = 0)
      : peer(port, receive_buffer_bytes) {
    SSL_set_max_proto_version(ssl.get(), TLS1_2_VERSION);
    if (session != nullptr) EXPECT_EQ(SSL_set_session(ssl.get(), session), 1);
    SSL_set_fd(ssl.get(), peer.fd());
    EXPECT_EQ(SSL_connect(ssl.get()), 1);
  }
  RawPeer peer;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{SSL_new(context.get()), &SSL_free};
};

TEST_F(Tls, AnnouncesTheEndOfAnIdleConnection) {
  ListenOptions made = options();
  made.limits.idle_timeout = milliseconds(300);
  TestServer server(std::move(made));
  const TlsPeer idle(server.port());
  server.pass(milliseconds(350));
  char byte;
  const int got = SSL_read(idle.ssl.get(), &byte, 1);
  EXPECT_EQ(SSL_get_error(idle.ssl.get(), got), SSL_ERROR_ZERO_RETURN);
}

TEST_F(Tls, WhoLetsAStreamWaitGetsItWhole) {
  TestServer server(options());
  const TlsPeer slow(server.port(), nullptr, 4096);
  const std::string request = get("/some");
  ASSERT_EQ(SSL_write(slow.ssl.get(), request.data(), static_cast<int>(request.size())), request.size());
  std::string received;
  const auto read = [&](std::size_t bytes) {
    while (received.size() < bytes) {
      char piece[16384];
      const int got = SSL_read(slow.ssl.get(), piece, sizeof piece);
      if (got <= 0) return false;
      received.append(piece, static_cast<std::size_t>(got));
    }
    return true;
  };
  ASSERT_TRUE(TestServer::eventually([&] {
    server.pass(std::chrono::milliseconds(101));
    return server.state().stalls >= 1;
  }));
  // More than the third of its buffer that the kernel wants free before it says that there is room.
  ASSERT_TRUE(read(2'200'000));
  ASSERT_TRUE(TestServer::eventually([&] {
    server.pass(std::chrono::milliseconds(101));
    return server.state().stalls >= 2;
  }));
  const std::size_t head = received.find("\r\n\r\n") + 4;
  ASSERT_TRUE(read(head + kStreamPieces * kStreamPieceBytes));
  EXPECT_TRUE(received.substr(head) == streamed_body());
  EXPECT_EQ(server.state().write_errors, 0);
}

TEST_F(Tls, AnswersTheEndThatAPeerAnnounces) {
  TestServer server(options());
  const TlsPeer leaving(server.port());
  EXPECT_EQ(SSL_shutdown(leaving.ssl.get()), 0);
  EXPECT_EQ(SSL_shutdown(leaving.ssl.get()), 1);
}

TEST_F(Tls, SessionsAreResumedUntilTheTicketKeysChange) {
  ListenOptions made = options();
  made.limits.ticket_keys_lifetime = seconds(3);
  TestServer server(std::move(made));
  const TlsPeer first(server.port());
  const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(SSL_get1_session(first.ssl.get()),
                                                                          &SSL_SESSION_free);
  EXPECT_EQ(SSL_session_reused(TlsPeer(server.port(), session.get()).ssl.get()), 1);
  server.clock().advance(seconds(3));
  const TlsPeer later(server.port(), session.get());
  EXPECT_EQ(SSL_session_reused(later.ssl.get()), 0);
  EXPECT_EQ(handshake(server.port(), TLS1_3_VERSION), "first");
}

TEST_F(Tls, ServesAfterALongPauseAndStops) {
  TestServer server(options());
  const auto peer = client(server);
  ASSERT_TRUE(peer->request("GET", "/", {}, {}));
  server.pass(milliseconds(1'300));
  ASSERT_TRUE(peer->request("GET", "/", {}, {}));
  EXPECT_EQ(server.metric("andromede_http_connections_accepted_total"), 1);
  server.server().stop(kPatience);
  EXPECT_FALSE(peer->request("GET", "/", {}, {}));
}

}  // namespace
}  // namespace andromede::net
