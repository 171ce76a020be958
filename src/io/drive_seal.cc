#include "io/drive_seal.h"

#include "crypto/digest.h"

namespace andromede::io {
namespace {

constexpr std::uint16_t kVersion = 2;
constexpr std::size_t kMagicBytes = 8;
constexpr std::size_t kHeadBytes = kMagicBytes + sizeof kVersion;
constexpr std::size_t kChecksumBytes = 4;

std::string_view magic_of(SealedKind kind) { return kind == SealedKind::kLabel ? "ANDLABEL" : "ANDRVMAP"; }
std::string name_of(SealedKind kind) { return kind == SealedKind::kLabel ? "drive label" : "drive map"; }

}  // namespace

DriveSeal::DriveSeal(const crypto::SecretKey& cloud_key)
    : label_key_(crypto::derive_key(cloud_key.bytes(), as_bytes("andromede drive label"))),
      map_key_(crypto::derive_key(cloud_key.bytes(), as_bytes("andromede drive map"))) {}

const crypto::SecretKey& DriveSeal::key_of(SealedKind kind) const {
  return kind == SealedKind::kLabel ? label_key_ : map_key_;
}

Bytes DriveSeal::close(SealedKind kind, ByteView body) const {
  Bytes file;
  file.reserve(kHeadBytes + body.size() + kSealBytes);
  ByteWriter out(file);
  out.raw(as_bytes(magic_of(kind)));
  out.u16(kVersion);
  out.raw(body);
  out.raw(crypto::hmac_sha256(key_of(kind).bytes(), file));
  out.u32(crypto::crc32c(0, file));
  return file;
}

Result<ByteView> DriveSeal::open(SealedKind kind, ByteView file) const {
  const auto damaged = [&](const char* why) { return fail(Errc::kCorrupt, name_of(kind) + ": " + why); };
  if (file.size() < kHeadBytes + kChecksumBytes) return damaged("too short");
  if (as_text(file.first(kMagicBytes)) != magic_of(kind)) return damaged("it begins otherwise");
  const ByteView checked = file.first(file.size() - kChecksumBytes);
  if (ByteReader(file.last(kChecksumBytes)).u32() != crypto::crc32c(0, checked)) return damaged("wrong checksum");
  if (ByteReader(file.subspan(kMagicBytes)).u16() != kVersion) {
    return fail(Errc::kUnsupported, name_of(kind) + ": of a version that this program does not know");
  }
  if (file.size() < kHeadBytes + kSealBytes) return damaged("too short");
  const ByteView authenticated = file.first(file.size() - kSealBytes);
  const auto expected = crypto::hmac_sha256(key_of(kind).bytes(), authenticated);
  if (!constant_time_equal(expected, file.subspan(authenticated.size(), expected.size()))) {
    return fail(Errc::kRefused, name_of(kind) + ": not written by this cloud: forged, or of another cloud");
  }
  return authenticated.subspan(kHeadBytes);
}

}  // namespace andromede::io
