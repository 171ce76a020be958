// Drive labels and maps on any bytes, under a right checksum, so that what lies behind it is reached: what decodes has
// one encoding only.
#include <cstdlib>

#include "crypto/digest.h"
#include "io/drive_label.h"

namespace {

using andromede::Bytes;
using andromede::ByteView;
using andromede::ByteWriter;

Bytes sealed(ByteView body) {
  Bytes bytes(body.begin(), body.end());
  ByteWriter(bytes).u32(andromede::crypto::crc32c(0, body));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = sealed({data, size});
  if (const auto map = andromede::io::decode_drive_map(bytes); map && encode(*map) != bytes) std::abort();
  if (const auto label = andromede::io::decode_drive_label(bytes); label && encode(*label) != bytes) std::abort();
  return 0;
}
