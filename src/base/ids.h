// Ids, each a type of its own, so that a blob's id can never be passed where a drive's is wanted.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"

namespace andromede {

// 128 random bits. Text form: 32 lower-case hexadecimal digits.
template <typename Tag>
class Id128 {
 public:
  static constexpr std::size_t kSize = 16;

  constexpr Id128() = default;  // all zero: "none"
  static Id128 random(Random& random) {
    Id128 id;
    random.fill(id.bytes_);
    return id;
  }
  // `bytes` has exactly kSize bytes, or the answer is none.
  static Id128 from_bytes(ByteView bytes) {
    Id128 id;
    if (bytes.size() == kSize) std::memcpy(id.bytes_.data(), bytes.data(), kSize);
    return id;
  }
  static Result<Id128> parse(std::string_view text) {
    TRY(const Bytes bytes, from_hex(text));
    if (bytes.size() != kSize) return fail(Errc::kInvalidArgument, "an id has 32 hexadecimal digits");
    return from_bytes(bytes);
  }
  [[nodiscard]] ByteView bytes() const { return bytes_; }
  [[nodiscard]] std::string to_string() const { return to_hex(bytes_); }
  [[nodiscard]] bool is_none() const { return *this == Id128{}; }
  friend auto operator<=>(const Id128&, const Id128&) = default;
  friend bool operator==(const Id128&, const Id128&) = default;

 private:
  std::array<std::uint8_t, kSize> bytes_{};
};

// A short name from configuration or an API ("orange", "etat-1"), typed.
template <typename Tag>
class NameId {
 public:
  NameId() = default;
  explicit NameId(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& value() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  friend auto operator<=>(const NameId&, const NameId&) = default;
  friend bool operator==(const NameId&, const NameId&) = default;

 private:
  std::string value_;
};

using CloudId = Id128<struct CloudTag>;    // one cloud, made by `andromede init`
using DriveId = Id128<struct DriveTag>;    // one drive, for life; a replacement has a new id
using BlobId = Id128<struct BlobTag>;      // one immutable ciphertext
using BucketId = Id128<struct BucketTag>;  // a bucket's incarnation: deleted and made again, it differs
using UploadId = Id128<struct UploadTag>;  // a multipart upload
using KeyId = Id128<struct KeyTag>;        // a tenant's key; an account may have several, one of them current

using AccountId = NameId<struct AccountTag>;      // a tenant: twelve digits, as AWS account ids
using AssociateId = NameId<struct AssociateTag>;  // a member of the consortium
using SiteId = NameId<struct SiteTag>;            // a hall of an associate's
using PolicyId = NameId<struct PolicyTag>;        // what a bucket demands of where its data lie
using DriveName = NameId<struct DriveNameTag>;    // an operator's name for a drive, unique in the cloud

}  // namespace andromede

template <typename Tag>
struct std::hash<andromede::Id128<Tag>> {
  std::size_t operator()(const andromede::Id128<Tag>& id) const noexcept {
    std::size_t value;  // the bits are random: the first ones are a hash already
    std::memcpy(&value, id.bytes().data(), sizeof value);
    return value;
  }
};
template <typename Tag>
struct std::hash<andromede::NameId<Tag>> {
  std::size_t operator()(const andromede::NameId<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.value());
  }
};
