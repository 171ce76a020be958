// Internal to net/: looks at what a TLS client says before it has proven anything. OpenSSL makes room for a whole
// ClientHello (up to 128 KiB, cleared) as soon as it has read its length, so that nine bytes would cost that much; here
// a hello beyond kMaxHelloBytes is refused by its length. Pure; RFC 8446 sections 4 and 5.1, RFC 5246 section 6.2.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace andromede::net {

class HelloGuard {
 public:
  // With many groups, tickets and a post-quantum key share a hello has 2 to 4 KiB.
  static constexpr std::uint32_t kMaxHelloBytes = 16 * 1024;

  // `bytes` as they came from the socket, each once and in order, before OpenSSL sees them. `tls_1_2`: an older version
  // than TLS 1.3 was agreed upon, whose records are encrypted from ChangeCipherSpec on. False: a hello is too long.
  [[nodiscard]] bool pass(ByteView bytes, bool tls_1_2);

 private:
  void take_record_byte(std::uint8_t byte, bool tls_1_2);
  bool take_handshake_byte(std::uint8_t byte);

  bool over_ = false;
  std::array<std::uint8_t, 5> record_{};  // type, version, length
  std::size_t record_bytes_ = 0;
  std::uint32_t record_left_ = 0;
  std::array<std::uint8_t, 4> message_{};  // type, length; may lie in several records
  std::size_t message_bytes_ = 0;
  std::uint32_t message_left_ = 0;
};

}  // namespace andromede::net
