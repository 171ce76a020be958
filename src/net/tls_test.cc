#include "net/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>

#include <fstream>
#include <optional>
#include <thread>

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
  ASSERT_TRUE(eventually([&] { return server.metric("andromede_http_connections") == 8; }));
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
  EXPECT_TRUE(eventually([&] { return server.metric("andromede_http_protocol_errors_total") == 3; }));
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
  ASSERT_TRUE(eventually([&] { return server.accepted() == 2; }));
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
  ASSERT_TRUE(eventually([&] {
    server.pass(std::chrono::milliseconds(101));
    return server.state().stalls >= 1;
  }));
  // More than the third of its buffer that the kernel wants free before it says that there is room.
  ASSERT_TRUE(read(2'200'000));
  ASSERT_TRUE(eventually([&] {
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

// What is written goes out when it is told to, at once.
struct HoardingPeer {
  HoardingPeer(int fd, int version) : fd(fd) {
    SSL_set_min_proto_version(ssl.get(), version);
    SSL_set_max_proto_version(ssl.get(), version);
    SSL_set_fd(ssl.get(), fd);
    SSL_set_connect_state(ssl.get());
  }
  void hoard() {
    hoarded = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl.get(), hoarded);
  }
  void write(std::string_view text) {
    ASSERT_EQ(SSL_write(ssl.get(), text.data(), static_cast<int>(text.size())), text.size());
  }
  void update_keys(int kind = SSL_KEY_UPDATE_NOT_REQUESTED) {
    ASSERT_EQ(SSL_key_update(ssl.get(), kind), 1);
    ASSERT_EQ(SSL_do_handshake(ssl.get()), 1);
  }
  std::string take() {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(hoarded, &bytes);
    std::string taken(bytes, static_cast<std::size_t>(size));
    (void)BIO_reset(hoarded);
    return taken;
  }
  void send() { EXPECT_TRUE(send(take())); }
  [[nodiscard]] bool send(std::string_view bytes) const {
    return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  int fd;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{SSL_new(context.get()), &SSL_free};
  BIO* hoarded = nullptr;
};

// A session of ours and its peer, which has nothing to say but what a test tells it.
class TlsSessions : public Tls {
 protected:
  static constexpr std::size_t kSentAtOnce = 160 * 1024;
  void SetUp() override {
    Tls::SetUp();
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_), 0);
    const int room = kSentAtOnce;
    for (const int socket : sockets_) ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    context_ = TlsContext::for_server(folder_.tls_files()).value();
    ours_ = TlsSession::accept(*context_, sockets_[0]).value();
  }
  void TearDown() override {
    for (const int socket : sockets_) ::close(socket);
  }
  void shake_hands(int version) {
    peer_.emplace(sockets_[1], version);
    TlsSession::Outcome ours = TlsSession::Outcome::kWantRead;
    for (int i = 0; i < 10; ++i) {
      SSL_do_handshake(peer_->ssl.get());
      if (ours != TlsSession::Outcome::kDone) ours = ours_->handshake();
    }
    ASSERT_EQ(ours, TlsSession::Outcome::kDone);
    ASSERT_EQ(SSL_is_init_finished(peer_->ssl.get()), 1);
    peer_->hoard();
  }
  // One call of read(); what it read is behind `read_`.
  TlsSession::Outcome read() {
    std::size_t count = 0;
    const auto outcome = ours_->read(buffer_, count);
    last_ = count;
    read_ += as_text(ByteView(buffer_).first(count));
    return outcome;
  }
  // Until there is nothing more to read.
  TlsSession::Outcome read_all() {
    for (;;) {
      const auto outcome = read();
      if (outcome == TlsSession::Outcome::kAgain) ++pauses_;
      if (outcome != TlsSession::Outcome::kDone && outcome != TlsSession::Outcome::kAgain) return outcome;
    }
  }
  // What the peer has hoarded, as much at once as any kernel takes; reads all.
  TlsSession::Outcome deliver() {
    auto outcome = TlsSession::Outcome::kWantRead;
    const std::string hoarded = peer_->take();
    for (std::size_t at = 0; at < hoarded.size() && outcome == TlsSession::Outcome::kWantRead; at += kSentAtOnce) {
      EXPECT_TRUE(peer_->send(std::string_view(hoarded).substr(at, kSentAtOnce)));
      outcome = read_all();
    }
    return outcome;
  }
  int unread() const {
    int bytes = 0;
    EXPECT_EQ(::ioctl(sockets_[0], FIONREAD, &bytes), 0);
    return bytes;
  }

  int sockets_[2] = {-1, -1};
  std::shared_ptr<const TlsContext> context_;
  std::unique_ptr<TlsSession> ours_;
  std::optional<HoardingPeer> peer_;
  Bytes buffer_ = Bytes(256 * 1024);
  std::string read_;
  std::size_t last_ = 0;
  int pauses_ = 0;
};

TEST_F(TlsSessions, ReadsTinyRecordsInSmallParts) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    if (version == TLS1_3_VERSION) {
      TearDown();
      SetUp();
    }
    shake_hands(version);
    std::string sent;
    for (int i = 0; i < 5'000; ++i) sent += static_cast<char>('a' + i % 26);
    for (const char& byte : sent) peer_->write({&byte, 1});
    peer_->send();
    read_.clear();
    int again = 0;
    for (auto outcome = read(); outcome != TlsSession::Outcome::kWantRead; outcome = read()) {
      ASSERT_TRUE(outcome == TlsSession::Outcome::kAgain || outcome == TlsSession::Outcome::kDone);
      again += outcome == TlsSession::Outcome::kAgain ? 1 : 0;
      EXPECT_LE(last_, 512U);
    }
    EXPECT_TRUE(read_ == sent);
    EXPECT_GE(again, 5'000 / 1'300);
  }
}

TEST_F(TlsSessions, OrdinaryRecordsAreReadWithoutAPause) {
  shake_hands(TLS1_3_VERSION);
  std::string sent;
  for (const std::size_t record : {1'300U, 16'384U}) {
    for (int i = 0; i < 256; ++i) {
      const std::string piece(record, static_cast<char>('a' + i % 26));
      peer_->write(piece);
      sent += piece;
    }
    EXPECT_EQ(deliver(), TlsSession::Outcome::kWantRead);
  }
  EXPECT_TRUE(read_ == sent);
  EXPECT_EQ(pauses_, 0);
}

TEST_F(TlsSessions, UpdatesOfKeysWithoutEndEndTheSession) {
  shake_hands(TLS1_3_VERSION);
  peer_->write("before");
  for (int i = 0; i < 5'000; ++i) peer_->update_keys();
  peer_->write("behind");
  const std::string flood = peer_->take();
  ASSERT_TRUE(peer_->send(flood));
  EXPECT_EQ(read_all(), TlsSession::Outcome::kFailed);
  EXPECT_EQ(ours_->error(), "too many updates of keys");
  EXPECT_EQ(read_, "before");
  EXPECT_GE(unread(), static_cast<int>(flood.size()) - 40'000);
  EXPECT_EQ(read(), TlsSession::Outcome::kFailed);
}

TEST_F(TlsSessions, UpdatesOfKeysAmongDataGoOn) {
  shake_hands(TLS1_3_VERSION);
  const std::string mebibyte(1 << 20, 'm');
  for (int i = 0; i < 32; ++i) peer_->update_keys(SSL_KEY_UPDATE_REQUESTED);
  for (int i = 0; i < 8; ++i) {
    peer_->write(mebibyte);
    EXPECT_EQ(deliver(), TlsSession::Outcome::kWantRead);
    peer_->update_keys();
  }
  peer_->write("behind");
  EXPECT_EQ(deliver(), TlsSession::Outcome::kWantRead);
  EXPECT_EQ(read_.size(), 8 * mebibyte.size() + 6);
  EXPECT_TRUE(read_.ends_with("behind"));
  // Our answers to what it asked for.
  std::size_t written = 0;
  EXPECT_EQ(ours_->write(as_bytes("answer"), written), TlsSession::Outcome::kDone);
  char answer[6];
  EXPECT_EQ(SSL_read(peer_->ssl.get(), answer, sizeof answer), 6);
}

TEST_F(TlsSessions, ASecondHandshakeEndsTheSessionWithoutAWord) {
  shake_hands(TLS1_2_VERSION);
  char byte;
  while (::recv(peer_->fd, &byte, 1, 0) == 1) {
  }
  ASSERT_EQ(SSL_renegotiate(peer_->ssl.get()), 1);
  SSL_do_handshake(peer_->ssl.get());
  peer_->send();
  EXPECT_EQ(read(), TlsSession::Outcome::kFailed);
  EXPECT_EQ(ours_->error(), "a second handshake");
  EXPECT_EQ(::recv(peer_->fd, &byte, 1, 0), -1);
}

TEST_F(TlsSessions, RecordsOfPaddingEndTheSession) {
  shake_hands(TLS1_3_VERSION);
  SSL_set_block_padding(peer_->ssl.get(), SSL3_RT_MAX_PLAIN_LENGTH);
  for (int i = 0; i < 100; ++i) peer_->write("p");
  EXPECT_EQ(deliver(), TlsSession::Outcome::kFailed);
  EXPECT_EQ(ours_->error(), "records with next to no data");
  EXPECT_LE(read_.size(), 5U);
}

TEST_F(TlsSessions, RecordsOfPaddingThatDataHavePaidForAreReadInSmallParts) {
  shake_hands(TLS1_3_VERSION);
  peer_->write(std::string(1 << 20, 'm'));
  EXPECT_EQ(deliver(), TlsSession::Outcome::kWantRead);
  EXPECT_EQ(pauses_, 0);
  SSL_set_block_padding(peer_->ssl.get(), SSL3_RT_MAX_PLAIN_LENGTH);
  for (int i = 0; i < 100; ++i) peer_->write("p");
  EXPECT_EQ(deliver(), TlsSession::Outcome::kWantRead);
  EXPECT_EQ(read_.size(), (1U << 20) + 100);
  EXPECT_GE(pauses_, 100 / 4);
}

TEST_F(TlsSessions, AHandshakeOfTinyRecordsEnds) {
  std::string hello("\x01\x00\x3E\x80\x03\x03", 6);
  hello.resize(16'000, 'h');
  std::string records;
  for (const char byte : hello) records += std::string("\x16\x03\x01\x00\x01", 5) + byte;
  ASSERT_EQ(::send(sockets_[1], records.data(), records.size(), 0), static_cast<ssize_t>(records.size()));
  EXPECT_EQ(ours_->handshake(), TlsSession::Outcome::kFailed);
  EXPECT_EQ(ours_->error(), "a handshake that is too long");
}

// Of the larger ones, less than would be too many fit in what OpenSSL receives at once.
TEST_F(Tls, TinyRecordsLeaveTheLoopToOthersInBetween) {
  constexpr std::size_t kRecords = 10'000;
  for (const std::size_t record : {1U, 20U}) {
    TestServer server(options(), 1);
    const RawPeer raw = server.peer();
    HoardingPeer hostile(raw.fd(), TLS1_3_VERSION);
    ASSERT_EQ(SSL_do_handshake(hostile.ssl.get()), 1);
    hostile.hoard();
    const std::string size = std::to_string(kRecords * record);
    hostile.write("POST /run HTTP/1.1\r\nHost: a\r\nContent-Length: " + size + "\r\n\r\n");
    for (std::size_t i = 0; i < kRecords; ++i) hostile.write(std::string(record, 'x'));
    std::thread other([&] { EXPECT_TRUE(client(server)->request("GET", "/rounds", {}, {})); });
    EXPECT_TRUE(eventually([&] { return server.state().rounds > 0; }));
    EXPECT_TRUE(raw.send(hostile.take()));
    other.join();
    char response[1'000];
    const int got = SSL_read(hostile.ssl.get(), response, sizeof response);
    EXPECT_GT(got, 0);
    EXPECT_TRUE(std::string_view(response, static_cast<std::size_t>(std::max(got, 0))).ends_with("\n" + size));
    EXPECT_LE(server.state().longest_run, 1'300 * record);
  }
}

TEST_F(Tls, AFloodOfHandshakesCostsItsConnectionAndNoOther) {
  TestServer server(options(), 1);
  const auto neighbour = client(server);
  ASSERT_TRUE(neighbour->request("GET", "/", {}, {}));
  const TlsPeer hostile(server.port());
  SSL_renegotiate(hostile.ssl.get());
  EXPECT_NE(SSL_do_handshake(hostile.ssl.get()), 1);
  EXPECT_TRUE(eventually([&] { return server.metric("andromede_http_connections") == 1; }));
  EXPECT_TRUE(neighbour->request("GET", "/", {}, {}));
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
