#include "io/drive_label.h"

#include "crypto/digest.h"

namespace andromede::io {
namespace {

constexpr std::string_view kMagic = "ANDLABEL";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kChecksumBytes = 4;

}  // namespace

Result<ByteView> open_envelope(ByteView bytes, std::string_view magic, std::uint16_t version, std::string_view what) {
  const auto corrupt = [&](const char* why) { return fail(Errc::kCorrupt, std::string(what) + ": " + why); };
  if (bytes.size() < magic.size() + sizeof version + kChecksumBytes) return corrupt("too short");
  if (as_text(bytes.first(magic.size())) != magic) return corrupt("it begins otherwise");
  const ByteView checked = bytes.first(bytes.size() - kChecksumBytes);
  if (ByteReader(bytes.last(kChecksumBytes)).u32() != crypto::crc32c(0, checked)) return corrupt("wrong checksum");
  ByteReader in(checked.subspan(magic.size()));
  if (in.u16() != version) return corrupt("of a version that this program does not know");
  return in.rest();
}

Bytes encode(const DriveLabel& label) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.raw(as_bytes(kMagic));
  out.u16(kVersion);
  out.raw(label.cloud.bytes());
  out.raw(label.drive.bytes());
  out.u32(crypto::crc32c(0, bytes));
  return bytes;
}

Result<DriveLabel> decode_drive_label(ByteView bytes) {
  TRY(const ByteView body, open_envelope(bytes, kMagic, kVersion, "drive label"));
  ByteReader in(body);
  DriveLabel label;
  label.cloud = CloudId::from_bytes(in.raw(CloudId::kSize));
  label.drive = DriveId::from_bytes(in.raw(DriveId::kSize));
  CHECK_OK(in.finish("drive label"));
  if (label.cloud.is_none() || label.drive.is_none()) return fail(Errc::kCorrupt, "drive label: it names no drive");
  return label;
}

}  // namespace andromede::io
