#include "base/bytes.h"

#include <cstdlib>
#include <new>

#include "base/check.h"

namespace andromede {
namespace {

constexpr std::size_t kCacheLineBytes = 64;
constexpr std::size_t kLeastPagedBytes = 64 << 10;
constexpr char kHexDigits[] = "0123456789abcdef";
constexpr char kBase64Digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

Buffer::Buffer(std::size_t capacity) : capacity_(capacity) {
  const std::size_t alignment = capacity >= kLeastPagedBytes ? kPageBytes : kCacheLineBytes;
  const std::size_t bytes = (std::max<std::size_t>(capacity, 1) + alignment - 1) / alignment * alignment;
  memory_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(alignment, bytes)));
  if (memory_ == nullptr) throw std::bad_alloc();
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  memory_ = std::move(other.memory_);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  return *this;
}

void Buffer::Free::operator()(std::uint8_t* memory) const noexcept { std::free(memory); }

void Buffer::grow(std::size_t count) { resize(size_ + count); }

void Buffer::resize(std::size_t size) {
  CHECK(size <= capacity_, "a Buffer never grows past its capacity");
  size_ = size;
}

void Buffer::append(ByteView bytes) {
  CHECK(bytes.size() <= room(), "a Buffer never grows past its capacity");
  if (!bytes.empty()) std::memcpy(data() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

std::string to_hex(ByteView bytes) {
  std::string text(bytes.size() * 2, '\0');
  char* digit = text.data();
  for (const std::uint8_t byte : bytes) {
    *digit++ = kHexDigits[byte >> 4];
    *digit++ = kHexDigits[byte & 15];
  }
  return text;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(Errc::kInvalidArgument, "hexadecimal text has an odd number of digits");
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return fail(Errc::kInvalidArgument, "not a hexadecimal digit");
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

std::string to_base64(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16;
    if (count > 1) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
    if (count > 2) group |= bytes[i + 2];
    text.push_back(kBase64Digits[group >> 18]);
    text.push_back(kBase64Digits[group >> 12 & 63]);
    text.push_back(count > 1 ? kBase64Digits[group >> 6 & 63] : '=');
    text.push_back(count > 2 ? kBase64Digits[group & 63] : '=');
  }
  return text;
}

Result<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return fail(Errc::kInvalidArgument, "base64 text is not a multiple of four characters");
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const int padding = last ? (text[i + 3] == '=' ? (text[i + 2] == '=' ? 2 : 1) : 0) : 0;
    std::uint32_t group = 0;
    for (int j = 0; j < 4; ++j) {
      const int value = j >= 4 - padding ? 0 : base64_value(text[i + static_cast<std::size_t>(j)]);
      if (value < 0) return fail(Errc::kInvalidArgument, "not a base64 character");
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    const std::uint32_t stray = padding == 2 ? group & 0xffff : padding == 1 ? group & 0xff : 0;
    if (stray != 0) return fail(Errc::kInvalidArgument, "base64 text has stray bits behind its end");
    bytes.push_back(static_cast<std::uint8_t>(group >> 16));
    if (padding < 2) bytes.push_back(static_cast<std::uint8_t>(group >> 8));
    if (padding < 1) bytes.push_back(static_cast<std::uint8_t>(group));
  }
  return bytes;
}

bool constant_time_equal(ByteView a, ByteView b) noexcept {
  if (a.size() != b.size()) return false;
  volatile std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

void ByteWriter::varint(std::uint64_t value) {
  while (value >= 0x80) {
    out_.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<std::uint8_t>(value));
}

std::uint64_t ByteReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = u8();
    if (!ok_) return 0;
    if (shift == 63 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  ok_ = false;
  return 0;
}

ByteView ByteReader::raw(std::size_t count) {
  if (!ok_ || count > in_.size()) {
    ok_ = false;
    in_ = {};
    return {};
  }
  const ByteView field = in_.first(count);
  in_ = in_.subspan(count);
  return field;
}

ByteView ByteReader::raw_checked(std::uint64_t count) {
  if (count > in_.size()) {
    ok_ = false;
    in_ = {};
    return {};
  }
  return raw(static_cast<std::size_t>(count));
}

Status ByteReader::finish(std::string_view what) const {
  if (!ok_) return fail(Errc::kCorrupt, std::string(what) + " is truncated or malformed");
  if (!in_.empty()) return fail(Errc::kCorrupt, std::string(what) + " has bytes behind its end");
  return {};
}

void append_be64(Bytes& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

std::uint64_t read_be64(ByteView in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | in[i];
  return value;
}

}  // namespace andromede
