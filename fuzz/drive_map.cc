// The bodies of drive labels and maps as any bytes, closed by a right key, so that what lies behind it is reached: what
// decodes has one encoding only.
#include "io/drive_map.h"

#include <cstdlib>

#include "base/random.h"
#include "io/drive_label.h"

namespace {

using andromede::ByteView;
using andromede::io::SealedKind;

const andromede::io::DriveSeal& seal() {
  static andromede::SeededRandom random(1);
  static const andromede::io::DriveSeal made(andromede::crypto::SecretKey::random(random));
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView body(data, size);
  // As it is, most likely without a seal; then with one.
  if (seal().open(SealedKind::kMap, body) || seal().open(SealedKind::kLabel, body)) std::abort();
  const auto map_file = seal().close(SealedKind::kMap, body);
  if (const auto map = andromede::io::decode_drive_map(map_file, seal()); map && encode(*map, seal()) != map_file) {
    std::abort();
  }
  const auto label_file = seal().close(SealedKind::kLabel, body);
  if (const auto label = andromede::io::decode_drive_label(label_file, seal());
      label && encode(*label, seal()) != label_file) {
    std::abort();
  }
  return 0;
}
