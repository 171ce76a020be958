#include "net/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "crypto/secret.h"

namespace andromede::net {
namespace {

// Forward secrecy and authenticated encryption only.
constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* kTls13Ciphers = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";

// What a peer may say before the handshake is done, and what its data may cost behind it: an ordinary record has a
// hundredth of its bytes beside them.
constexpr std::uint64_t kMostHandshakeBytes = 64 * 1024;
constexpr std::uint64_t kForgivenBytes = 64 * 1024;
constexpr std::uint64_t kMostWireBytesPerByte = 64;
// Records that carry no data behind the handshake, which are updates of keys (RFC 8446 section 4.6.3): each costs as
// much as some KiB of data. Clients send one in many GiB.
constexpr std::uint64_t kForgivenMessages = 32;
constexpr std::uint64_t kBytesPerMessage = 1 << 20;
// Others have their turn after so much of the wire that half as much data does not pay for (a whole record, and where
// the next one begins, come before their data), and after so many records, which cost about a microsecond however
// small.
constexpr std::uint64_t kUnpaidBytesPerTurn = 32 * 1024;
constexpr unsigned kRecordsPerTurn = 512;

constexpr unsigned char kHttp11Protocol[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

std::string openssl_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

bool should_retry() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

long bio_control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default:
      return 0;
  }
}

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, kHttp11Protocol, sizeof kHttp11Protocol, offered, offered_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};

constexpr std::size_t kMaxKeyFileBytes = 64 * 1024;

// Leaves the key, in the secure heap, and no trace of it elsewhere. Null, and OpenSSL's reason, when there is none.
std::unique_ptr<EVP_PKEY, FreeKey> read_private_key(const std::string& path) {
  const crypto::PrivateKeyReading reading;
  // Not through stdio, whose buffers would keep the text.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return nullptr;
  std::array<std::uint8_t, kMaxKeyFileBytes> text;
  std::size_t size = 0;
  ssize_t count = 1;
  while (count > 0 && size < text.size()) {
    count = ::read(file, text.data() + size, text.size() - size);
    if (count > 0) size += static_cast<std::size_t>(count);
  }
  ::close(file);
  std::unique_ptr<EVP_PKEY, FreeKey> key;
  if (const std::unique_ptr<BIO, FreeBio> bio(BIO_new_mem_buf(text.data(), static_cast<int>(size)));
      bio && count == 0) {
    key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  }
  crypto::wipe({text.data(), size});
  return key;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }

Result<std::shared_ptr<TlsContext>> TlsContext::make(bool server) {
  ERR_clear_error();
  SSL_CTX* context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
  if (context == nullptr) return fail(Errc::kInternal, "TLS: " + openssl_reason());
  auto made = std::shared_ptr<TlsContext>(new TlsContext(context));
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // A record's header and body come with one system call.
  SSL_CTX_set_read_ahead(context, 1);
  // Tickets resume sessions without memory here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context, kTls12Ciphers) != 1 || SSL_CTX_set_ciphersuites(context, kTls13Ciphers) != 1) {
    return fail(Errc::kInternal, "TLS: " + openssl_reason());
  }
  return made;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::for_server(const TlsFiles& files) {
  TRY(const auto made, make(true));
  SSL_CTX* context = made->get();
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate_path.c_str()) != 1) {
    return fail(Errc::kInvalidArgument,
                files.certificate_path + ": not a readable PEM certificate chain (" + openssl_reason() + ")");
  }
  const auto key = read_private_key(files.key_path);
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return fail(Errc::kInvalidArgument, files.key_path + ": not a readable PEM key that belongs to " +
                                            files.certificate_path + " (" + openssl_reason() + ")");
  }
  return std::shared_ptr<const TlsContext>(made);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::renewed() const {
  TRY(const auto made, make(true));
  SSL_CTX* context = made->get();
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  STACK_OF(X509)* chain = nullptr;
  if (SSL_CTX_use_certificate(context, SSL_CTX_get0_certificate(get())) != 1 ||
      SSL_CTX_use_PrivateKey(context, SSL_CTX_get0_privatekey(get())) != 1 ||
      SSL_CTX_get0_chain_certs(get(), &chain) != 1 || (chain != nullptr && SSL_CTX_set1_chain(context, chain) != 1)) {
    return fail(Errc::kInternal, "TLS: " + openssl_reason());
  }
  return std::shared_ptr<const TlsContext>(made);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::for_client(const std::string& ca_path) {
  TRY(const auto made, make(false));
  SSL_CTX* context = made->get();
  if (SSL_CTX_load_verify_file(context, ca_path.c_str()) != 1) {
    return fail(Errc::kInvalidArgument, ca_path + ": not a readable PEM certificate (" + openssl_reason() + ")");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return std::shared_ptr<const TlsContext>(made);
}

// OpenSSL's own socket BIO uses write(2), which raises SIGPIPE when the peer is gone; this one sends with MSG_NOSIGNAL.
// SSL_read goes on for as long as there is something to read that is no data; this one says that there is nothing.
struct SocketBio {
  static TlsSession::Transport& transport(BIO* bio) { return *static_cast<TlsSession::Transport*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int size) {
    BIO_clear_retry_flags(bio);
    TlsSession::Transport& from = transport(bio);
    if (from.broken()) return -1;
    if (from.shaken && from.turn_is_over()) {
      from.pausing = true;
      BIO_set_retry_read(bio);
      return -1;
    }
    const ssize_t count = ::recv(from.socket, into, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (count < 0 && should_retry()) BIO_set_retry_read(bio);
    if (count == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    if (count <= 0) return static_cast<int>(count);
    from.turn_unpaid_bytes += static_cast<std::uint64_t>(count);
    from.wire_bytes += static_cast<std::uint64_t>(count);
    if (from.shaken && from.wire_bytes > kForgivenBytes + kMostWireBytesPerByte * from.bytes) {
      from.violation = "records with next to no data";
      return -1;
    }
    if (!from.guard) return static_cast<int>(count);
    if (from.wire_bytes > kMostHandshakeBytes) {
      from.violation = "a handshake that is too long";
      return -1;
    }
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(into);
    const bool tls_1_2 = SSL_version(from.session) <= TLS1_2_VERSION;
    if (from.guard->pass({bytes, static_cast<std::size_t>(count)}, tls_1_2)) return static_cast<int>(count);
    from.violation = "a ClientHello that is too long";
    return -1;
  }

  // Told of each record and message, before OpenSSL looks at it.
  static void on_message(int is_written, int, int kind, const void* bytes, std::size_t size, SSL*, void* argument) {
    auto* const from = static_cast<TlsSession::Transport*>(argument);
    if (is_written != 0 || size == 0) return;
    const bool tls_1_3 = SSL_version(from->session) > TLS1_2_VERSION;
    // Of TLS 1.3 the header does not tell what the record is.
    if (kind == SSL3_RT_HEADER) ++from->turn_records;
    if (!from->shaken || kind != (tls_1_3 ? SSL3_RT_INNER_CONTENT_TYPE : SSL3_RT_HEADER)) return;
    const int type = *static_cast<const std::uint8_t*>(bytes);
    if (type == SSL3_RT_APPLICATION_DATA || type == SSL3_RT_ALERT) return;
    // There, a handshake is another one: OpenSSL would refuse it by an alert, and each that follows.
    if (!tls_1_3) {
      from->violation = "a second handshake";
    } else if (++from->messages > kForgivenMessages + from->bytes / kBytesPerMessage) {
      from->violation = "too many updates of keys";
    }
  }

  static int write(BIO* bio, const char* from, int size) {
    BIO_clear_retry_flags(bio);
    // Its answers would go on.
    if (transport(bio).broken()) return -1;
    const ssize_t count =
        ::send(transport(bio).socket, from, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && should_retry()) BIO_set_retry_write(bio);
    return static_cast<int>(count);
  }

  static BIO_METHOD* make_method() {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "andromede socket");
    if (made == nullptr) return nullptr;
    BIO_meth_set_read(made, read);
    BIO_meth_set_write(made, write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = make_method();  // for the life of the process
    return made;
  }
};

void TlsSession::Free::operator()(ssl_st* session) const noexcept { SSL_free(session); }

Result<std::unique_ptr<TlsSession>> TlsSession::make(const TlsContext& context, int socket) {
  ERR_clear_error();
  std::unique_ptr<TlsSession> made(new TlsSession);
  made->session_.reset(SSL_new(context.get()));
  BIO* bio = made->session_ ? BIO_new(SocketBio::method()) : nullptr;
  if (bio == nullptr) return fail(Errc::kInternal, "TLS: " + openssl_reason());
  made->transport_.socket = socket;
  made->transport_.session = made->session_.get();
  SSL_set_msg_callback(made->session_.get(), SocketBio::on_message);
  SSL_set_msg_callback_arg(made->session_.get(), &made->transport_);
  BIO_set_data(bio, &made->transport_);
  BIO_set_init(bio, 1);
  SSL_set_bio(made->session_.get(), bio, bio);
  return made;
}

Result<std::unique_ptr<TlsSession>> TlsSession::accept(const TlsContext& context, int socket) {
  TRY(auto session, make(context, socket));
  SSL_set_accept_state(session->session_.get());
  session->transport_.guard.emplace();
  return session;
}

Result<std::unique_ptr<TlsSession>> TlsSession::connect(const TlsContext& context, int socket,
                                                        const std::string& host) {
  TRY(auto session, make(context, socket));
  SSL* const ssl = session->session_.get();
  SSL_set_connect_state(ssl);
  in6_addr address{};
  const bool is_address =
      inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
  const bool checked = is_address
                           ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1
                           : SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  if (!checked) return fail(Errc::kInvalidArgument, host + ": not a host name or address");
  return session;
}

TlsSession::Outcome TlsSession::judge(int result) {
  switch (SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_NONE:
      return Outcome::kDone;
    case SSL_ERROR_WANT_READ:
      return Outcome::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::kClosed;
    default:
      break;
  }
  failed_ = true;
  const long verified = SSL_get_verify_result(session_.get());
  error_ = transport_.broken()     ? transport_.violation
           : verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                                   : openssl_reason();
  ERR_clear_error();
  return Outcome::kFailed;
}

TlsSession::Outcome TlsSession::handshake() {
  ERR_clear_error();
  const Outcome outcome = judge(SSL_do_handshake(session_.get()));
  if (outcome == Outcome::kDone) {
    transport_.guard.reset();
    transport_.shaken = true;
    transport_.wire_bytes = 0;
  }
  return outcome;
}

bool TlsSession::Transport::turn_is_over() const {
  return turn_unpaid_bytes >= kUnpaidBytesPerTurn || turn_records >= kRecordsPerTurn;
}

void TlsSession::Transport::begin_turn() {
  turn_unpaid_bytes = 0;
  turn_records = 0;
  pausing = false;
}

TlsSession::Outcome TlsSession::read(MutableByteView into, std::size_t& count) {
  count = 0;
  // A record is at most 16 KiB: several are gathered, so that a large buffer is worth its size.
  for (;;) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(session_.get(), into.data() + count, into.size() - count, &got);
    const bool pausing = transport_.pausing;
    if (result == 1) {
      count += got;
      transport_.bytes += got;
      transport_.turn_unpaid_bytes -= std::min<std::uint64_t>(transport_.turn_unpaid_bytes, 2 * got);
      if (!transport_.turn_is_over()) {
        if (count == into.size() || !pending()) return Outcome::kDone;
        continue;
      }
    } else if (!pausing && count > 0 && SSL_get_error(session_.get(), result) != SSL_ERROR_SSL) {
      // What was read is dealt with at once, and more may have come by then: the turn goes on.
      return Outcome::kDone;
    }
    transport_.begin_turn();
    return result == 1 || pausing ? Outcome::kAgain : judge(result);
  }
}

TlsSession::Outcome TlsSession::write(ByteView from, std::size_t& count) {
  ERR_clear_error();
  count = 0;
  return judge(SSL_write_ex(session_.get(), from.data(), from.size(), &count));
}

void TlsSession::close_write() {
  if (failed_) return;
  ERR_clear_error();
  SSL_shutdown(session_.get());
  ERR_clear_error();
}

bool TlsSession::pending() const { return SSL_has_pending(session_.get()) == 1; }

}  // namespace andromede::net
