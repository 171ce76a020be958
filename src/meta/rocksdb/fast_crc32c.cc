// RocksDB's CRC-32C by the processor's instructions. Debian builds RocksDB for any x86-64, with the CRC from tables at
// some 1 GB/s: over every block, every blob and then every whole file that was 7 % of what a small PUT costs. It has no
// option for it, so the linker (--wrap, CMakeLists.txt) sends its calls here; the values are the same.
#include <cstddef>
#include <cstdint>

#include "crypto/digest.h"

// NOLINTNEXTLINE(readability-identifier-naming): the linker's name for rocksdb::crc32c::Extend
extern "C" std::uint32_t __wrap__ZN7rocksdb6crc32c6ExtendEjPKcm(std::uint32_t crc, const char* data, std::size_t size) {
  return andromede::crypto::crc32c(crc, {reinterpret_cast<const std::uint8_t*>(data), size});
}
