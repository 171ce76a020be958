// The one codec of metadata records. A kind of record says once what its fields are, in a function that both writes and
// reads them, so that the two cannot differ:
//
//   struct OperatorKind {                                    // docs/formats/identity.md
//     using Record = OperatorRecord;
//     static constexpr RecordMark kMark{'T', 2, "operator"};
//     static void fields(auto& fields, auto& record) {
//       fields.text(record.name, kMaxOperatorNameBytes);
//       fields.array(record.verifier);
//       fields.time(record.created);
//       fields.time(record.expires);
//     }
//   };
//   std::string stored = encode<OperatorKind>(record);
//   Result<OperatorRecord> read = decode<OperatorKind>(as_bytes(stored));
//
// Optionally `static Status check(const Record&)`, for what no single field tells; any error of it is kCorrupt then.
// Bytes (docs/formats/metadata-keys.md, "Records"): the letter, the version, the fields, and nothing behind them.
// Integers are little-endian, lengths and numbers LEB128 in their shortest form: a record has one encoding. No
// checksum: every value carries the cloud's tag (record_seal.h).
//
// Pure; not thread-safe per object.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace andromede::meta {

// What a record opens with: a letter of its own among all kinds, and the version of its fields.
struct RecordMark {
  char letter;
  std::uint8_t version;
  const char* name;  // as errors tell it
};
inline constexpr std::size_t kMarkBytes = 2;
// Of a field, where its kind says nothing narrower.
inline constexpr std::size_t kMostFieldBytes = 4 << 20;

// Writes fields. The limits are the reader's: whoever makes a record keeps them.
class FieldWriter {
 public:
  static constexpr bool kReads = false;
  explicit FieldWriter(Bytes& out) : out_(out) {}
  void u8(std::uint8_t value) { out_.u8(value); }
  void u64(std::uint64_t value) { out_.u64(value); }
  void flag(bool value) { out_.u8(value ? 1 : 0); }
  void number(std::uint64_t value, std::uint64_t /*least*/, std::uint64_t /*most*/) { out_.varint(value); }
  template <typename Enum>
  void one_of(Enum value, Enum /*last*/) {
    out_.u8(static_cast<std::uint8_t>(value));
  }
  void time(Timestamp value) { out_.u64(static_cast<std::uint64_t>(value.ms)); }
  void time(const std::optional<Timestamp>& value) { time(value.value_or(Timestamp{})); }
  void text(std::string_view value, std::size_t /*most*/ = kMostFieldBytes) { out_.text(value); }
  void bytes(ByteView value, std::size_t /*most*/ = kMostFieldBytes) { out_.bytes(value); }
  void raw(ByteView value, std::size_t /*size*/) { out_.raw(value); }
  template <std::size_t N>
  void array(const std::array<std::uint8_t, N>& value) {
    out_.raw(value);
  }
  template <typename Tag>
  void id(const Id128<Tag>& value) {
    out_.raw(value.bytes());
  }
  template <typename Tag>
  void name(const NameId<Tag>& value) {
    out_.text(value.value());
  }
  template <typename T, typename Each>
  void list(const std::vector<T>& items, std::size_t /*most*/, const Each& each) {
    out_.varint(items.size());
    for (const T& item : items) each(item);
  }
  template <typename T, typename Each>
  void repeat(const std::vector<T>& items, std::size_t /*count*/, const Each& each) {
    for (const T& item : items) each(item);
  }
  void map(const std::map<std::string, std::string>& items) {
    out_.varint(items.size());
    for (const auto& [key, value] : items) {
      out_.text(key);
      out_.text(value);
    }
  }
  void require(bool /*holds*/, const char* /*what*/) {}

 private:
  ByteWriter out_;
};

// Reads them. After the first bad field all others are empty; whoever reads looks at finish() once at the end.
class FieldReader {
 public:
  static constexpr bool kReads = true;
  explicit FieldReader(ByteView in) : in_(in) {}

  void u8(std::uint8_t& value) { value = in_.u8(); }
  void u64(std::uint64_t& value) { value = in_.u64(); }
  void flag(bool& value) {
    const std::uint8_t byte = in_.u8();
    value = byte == 1;
    require(byte <= 1, "flag");
  }
  template <std::unsigned_integral T>
  void number(T& value, std::uint64_t least, std::uint64_t most) {
    const std::uint64_t found = shortest();
    require(found >= least && found <= most && found <= std::uint64_t{static_cast<T>(-1)}, "number");
    value = bad_ == nullptr ? static_cast<T>(found) : T{};
  }
  template <typename Enum>
  void one_of(Enum& value, Enum last) {
    const std::uint8_t byte = in_.u8();
    require(byte <= static_cast<std::uint8_t>(last), "choice");
    value = bad_ == nullptr ? static_cast<Enum>(byte) : Enum{};
  }
  void time(Timestamp& value) { value.ms = static_cast<std::int64_t>(in_.u64()); }
  // 0 is none.
  void time(std::optional<Timestamp>& value) {
    Timestamp found;
    time(found);
    value = found.ms == 0 ? std::nullopt : std::optional(found);
  }
  void text(std::string& value, std::size_t most = kMostFieldBytes) { value = as_text(counted(most)); }
  void bytes(Bytes& value, std::size_t most = kMostFieldBytes) { value = to_bytes(counted(most)); }
  void raw(Bytes& value, std::size_t size) { value = to_bytes(in_.raw(size)); }
  template <std::size_t N>
  void array(std::array<std::uint8_t, N>& value) {
    const ByteView found = in_.raw(N);
    if (found.size() == N) std::copy(found.begin(), found.end(), value.begin());
  }
  template <typename Tag>
  void id(Id128<Tag>& value) {
    value = Id128<Tag>::from_bytes(in_.raw(Id128<Tag>::kSize));
  }
  template <typename Tag>
  void name(NameId<Tag>& value) {
    value = NameId<Tag>(std::string(as_text(counted(kMostFieldBytes))));
  }
  template <typename T, typename Each>
  void list(std::vector<T>& items, std::size_t most, const Each& each) {
    const std::uint64_t count = shortest();
    require(count <= most, "count");
    repeat(items, count, each);
  }
  // So many as another field says.
  template <typename T, typename Each>
  void repeat(std::vector<T>& items, std::uint64_t count, const Each& each) {
    items.clear();
    // Memory grows with what is read, whatever the count says.
    for (std::uint64_t i = 0; i < count && good(); ++i) each(items.emplace_back());
  }
  // Keys in strictly rising order.
  void map(std::map<std::string, std::string>& items) {
    const std::uint64_t count = shortest();
    items.clear();
    for (std::uint64_t i = 0; i < count && good(); ++i) {
      std::string key;
      std::string value;
      text(key);
      text(value);
      require(items.empty() || key > items.rbegin()->first, "order");
      items.emplace_hint(items.end(), std::move(key), std::move(value));
    }
  }
  // What is not one field's: it must hold of what was read.
  void require(bool holds, const char* what) {
    if (!holds && good()) bad_ = what;
  }
  [[nodiscard]] bool good() const { return bad_ == nullptr && in_.ok(); }
  // kCorrupt unless every field was there and as it should be, and, with `whole`, nothing is left over.
  [[nodiscard]] Status finish(const char* name, bool whole = true) const {
    if (good() && (!whole || in_.remaining() == 0)) return {};
    const std::string why = bad_ != nullptr ? std::string("bad ") + bad_ : (in_.ok() ? "too long" : "it is cut short");
    return fail(Errc::kCorrupt, std::string(name) + " record: " + why);
  }

 private:
  std::uint64_t shortest() {
    const std::size_t before = in_.remaining();
    const std::uint64_t value = in_.varint();
    std::size_t needed = 1;
    for (std::uint64_t rest = value >> 7; rest > 0; rest >>= 7) ++needed;
    require(!in_.ok() || before - in_.remaining() == needed, "length");
    return value;
  }
  ByteView counted(std::size_t most) {
    const std::uint64_t count = shortest();
    require(count <= most, "length");
    return bad_ == nullptr && count <= in_.remaining() ? in_.raw(static_cast<std::size_t>(count)) : in_.raw(SIZE_MAX);
  }

  ByteReader in_;
  const char* bad_ = nullptr;
};

// The fields of a record of that kind; kCorrupt: another one, or another version.
inline Result<ByteView> open_record(const RecordMark& mark, ByteView stored) {
  const auto corrupt = [&](const std::string& why) {
    return fail(Errc::kCorrupt, std::string(mark.name) + " record: " + why);
  };
  if (stored.size() < kMarkBytes) return corrupt("it is cut short");
  if (stored[0] != static_cast<std::uint8_t>(mark.letter)) return corrupt("another record's letter");
  if (stored[1] != mark.version) return corrupt("version " + std::to_string(stored[1]) + " is not known");
  return stored.subspan(kMarkBytes);
}

template <typename Kind>
std::string encode(const typename Kind::Record& record) {
  Bytes bytes;
  bytes.reserve(256);
  bytes.push_back(static_cast<std::uint8_t>(Kind::kMark.letter));
  bytes.push_back(Kind::kMark.version);
  FieldWriter fields(bytes);
  Kind::fields(fields, record);
  return std::string(as_text(bytes));
}

// kCorrupt for anything that encode() does not make.
template <typename Kind>
Result<typename Kind::Record> decode(ByteView stored) {
  TRY(const ByteView in, open_record(Kind::kMark, stored));
  FieldReader fields(in);
  typename Kind::Record record{};
  Kind::fields(fields, record);
  CHECK_OK(fields.finish(Kind::kMark.name));
  if constexpr (requires { Kind::check(record); }) {
    if (const Status checked = Kind::check(record); !checked) {
      return fail(Errc::kCorrupt, std::string(Kind::kMark.name) + " record: " + checked.error().message());
    }
  }
  return record;
}

}  // namespace andromede::meta
