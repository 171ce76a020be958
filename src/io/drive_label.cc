#include "io/drive_label.h"

namespace andromede::io {

Bytes encode(const DriveLabel& label, const DriveSeal& seal) {
  Bytes body;
  ByteWriter out(body);
  out.raw(label.cloud.bytes());
  out.raw(label.drive.bytes());
  return seal.close(SealedKind::kLabel, body);
}

Result<DriveLabel> decode_drive_label(ByteView bytes, const DriveSeal& seal) {
  TRY(const ByteView body, seal.open(SealedKind::kLabel, bytes));
  ByteReader in(body);
  DriveLabel label;
  label.cloud = CloudId::from_bytes(in.raw(CloudId::kSize));
  label.drive = DriveId::from_bytes(in.raw(DriveId::kSize));
  CHECK_OK(in.finish("drive label"));
  if (label.cloud.is_none() || label.drive.is_none()) return fail(Errc::kCorrupt, "drive label: it names no drive");
  return label;
}

}  // namespace andromede::io
