// Bytes: owned bytes, views of bytes, and readers and writers of the little-endian fields that stored formats use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace andromede {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }
inline Bytes to_bytes(std::string_view text) { return to_bytes(as_bytes(text)); }

// Of memory and of the page cache: what transfers past that cache are aligned to.
inline constexpr std::size_t kPageBytes = 4096;

// A block of uninitialised memory, move-only: what bodies, segments and shards are moved in. 64-byte aligned; from
// 64 KiB on it begins on a page.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t capacity);
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() = default;

  [[nodiscard]] std::uint8_t* data() noexcept { return memory_.get(); }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return memory_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t room() const noexcept { return capacity_ - size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] ByteView view() const noexcept { return {data(), size_}; }
  [[nodiscard]] MutableByteView span() noexcept { return {data(), size_}; }
  // The part behind size(), to be written and then taken in by grow().
  [[nodiscard]] MutableByteView tail() noexcept { return {data() + size_, room()}; }
  void grow(std::size_t count);
  void resize(std::size_t size);  // at most capacity(); new bytes are uninitialised
  void clear() noexcept { size_ = 0; }
  void append(ByteView bytes);  // at most room() bytes

 private:
  struct Free {
    void operator()(std::uint8_t* memory) const noexcept;
  };
  std::unique_ptr<std::uint8_t[], Free> memory_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
Result<Bytes> from_hex(std::string_view text);
// RFC 4648 section 4, padded. from_base64 is strict: no white space, padding required, no stray bits.
std::string to_base64(ByteView bytes);
Result<Bytes> from_base64(std::string_view text);

// Compares in a time that depends on the lengths alone.
bool constant_time_equal(ByteView a, ByteView b) noexcept;

// Appends little-endian fields to a byte vector that it borrows.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}
  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value) { put(value); }
  void u32(std::uint32_t value) { put(value); }
  void u64(std::uint64_t value) { put(value); }
  void varint(std::uint64_t value);  // LEB128, at most 10 bytes
  void raw(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void bytes(ByteView bytes) {  // varint length, then the bytes
    varint(bytes.size());
    raw(bytes);
  }
  void text(std::string_view text) { bytes(as_bytes(text)); }
  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  template <typename T>
  void put(T value) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof value);
    std::memcpy(out_.data() + at, &value, sizeof value);
  }
  Bytes& out_;
};

// Reads what ByteWriter wrote. Reading past the end, or a malformed varint, makes ok() false for good and returns
// zeros and empty views; callers check ok() (or finish()) once at the end.
class ByteReader {
 public:
  explicit ByteReader(ByteView in) : in_(in) {}
  std::uint8_t u8() { return get<std::uint8_t>(); }
  std::uint16_t u16() { return get<std::uint16_t>(); }
  std::uint32_t u32() { return get<std::uint32_t>(); }
  std::uint64_t u64() { return get<std::uint64_t>(); }
  std::uint64_t varint();
  ByteView raw(std::size_t count);
  ByteView bytes() { return raw_checked(varint()); }
  std::string_view text() { return as_text(bytes()); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t remaining() const { return in_.size(); }
  [[nodiscard]] ByteView rest() const { return in_; }
  // An error unless every field was there and nothing is left over. `what` names the record in the message.
  [[nodiscard]] Status finish(std::string_view what) const;

 private:
  ByteView raw_checked(std::uint64_t count);
  template <typename T>
  T get() {
    T value{};
    const ByteView field = raw(sizeof value);
    if (ok_) std::memcpy(&value, field.data(), sizeof value);
    return value;
  }
  ByteView in_;
  bool ok_ = true;
};

// Big-endian, for keys whose order must be their number's.
void append_be64(Bytes& out, std::uint64_t value);
std::uint64_t read_be64(ByteView in);  // in.size() >= 8

}  // namespace andromede
