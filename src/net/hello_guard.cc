#include "net/hello_guard.h"

#include <algorithm>

namespace andromede::net {
namespace {

constexpr std::uint8_t kChangeCipherSpec = 20;
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kClientHello = 1;

}  // namespace

bool HelloGuard::pass(ByteView bytes, bool tls_1_2) {
  while (!bytes.empty() && !over_) {
    if (record_left_ == 0) {
      take_record_byte(bytes.front(), tls_1_2);
      bytes = bytes.subspan(1);
      continue;
    }
    if (record_[0] == kHandshake && message_left_ == 0) {
      --record_left_;
      if (!take_handshake_byte(bytes.front())) return false;
      bytes = bytes.subspan(1);
      continue;
    }
    std::size_t skipped = std::min<std::size_t>(bytes.size(), record_left_);
    if (record_[0] == kHandshake) {
      skipped = std::min<std::size_t>(skipped, message_left_);
      message_left_ -= static_cast<std::uint32_t>(skipped);
    }
    record_left_ -= static_cast<std::uint32_t>(skipped);
    bytes = bytes.subspan(skipped);
  }
  return true;
}

void HelloGuard::take_record_byte(std::uint8_t byte, bool tls_1_2) {
  record_[record_bytes_++] = byte;
  if (record_bytes_ < record_.size()) return;
  record_bytes_ = 0;
  record_left_ = record_[3] * 256U + record_[4];
  if (record_[0] == kChangeCipherSpec && tls_1_2) over_ = true;
}

bool HelloGuard::take_handshake_byte(std::uint8_t byte) {
  message_[message_bytes_++] = byte;
  if (message_bytes_ < message_.size()) return true;
  message_bytes_ = 0;
  message_left_ = message_[1] * 65536U + message_[2] * 256U + message_[3];
  return message_[0] != kClientHello || message_left_ <= kMaxHelloBytes;
}

}  // namespace andromede::net
