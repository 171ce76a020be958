#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"
#include "crypto/digest.h"

// RocksDB declares it in a header that it does not install.
namespace rocksdb::crc32c {
std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size);
}
// What it was before the linker replaced it.
extern "C" std::uint32_t __real__ZN7rocksdb6crc32c6ExtendEjPKcm(std::uint32_t crc, const char* data, std::size_t size);

namespace andromede::meta {
namespace {

TEST(FastCrc32c, AnswersWhatRocksDbsOwnDoes) {
  SeededRandom random(1);
  Bytes bytes(10'000);
  random.fill(bytes);
  const auto* const data = reinterpret_cast<const char*>(bytes.data());
  for (std::size_t size = 0; size < 600; ++size) {
    const std::size_t at = random.below(64);
    const auto seed = static_cast<std::uint32_t>(random.below(1ULL << 32));
    EXPECT_EQ(rocksdb::crc32c::Extend(seed, data + at, size),
              __real__ZN7rocksdb6crc32c6ExtendEjPKcm(seed, data + at, size))
        << size;
  }
  EXPECT_EQ(rocksdb::crc32c::Extend(0, data, bytes.size()),
            __real__ZN7rocksdb6crc32c6ExtendEjPKcm(0, data, bytes.size()));
  EXPECT_EQ(rocksdb::crc32c::Extend(0, "123456789", 9), 0xE3069283U);  // RFC 3720's check value
}

}  // namespace
}  // namespace andromede::meta
