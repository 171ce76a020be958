#include <isa-l/crc.h>

#include <bit>

#include "base/check.h"
#include "crypto/crc_algebra.h"
#include "crypto/digest.h"

namespace andromede::crypto {
namespace {

template <typename Word>
Word read_big_endian(ByteView bytes) {
  CHECK(bytes.size() == sizeof(Word), "a CRC's value has its kind's size");
  Word word = 0;
  for (const std::uint8_t byte : bytes) word = static_cast<Word>(word << 8) | byte;
  return word;
}

template <typename Word>
Bytes write_big_endian(Word word) {
  Bytes bytes(sizeof word);
  for (std::size_t i = sizeof word; i-- > 0; word >>= 8) bytes[i] = static_cast<std::uint8_t>(word);
  return bytes;
}

template <typename Word>
Bytes combine_words(ByteView a, ByteView b, std::uint64_t b_size_bytes, Word polynomial) {
  return write_big_endian(combine(read_big_endian<Word>(a), read_big_endian<Word>(b), b_size_bytes, polynomial));
}

// ISA-L takes the length as an int.
constexpr std::size_t kMaxCallBytes = std::size_t{1} << 30;

}  // namespace

std::uint32_t crc32(std::uint32_t seed, ByteView data) { return ::crc32_gzip_refl(seed, data.data(), data.size()); }

std::uint32_t crc32c(std::uint32_t seed, ByteView data) {
  std::uint32_t state = ~seed;
  while (!data.empty()) {
    const ByteView piece = data.first(std::min(data.size(), kMaxCallBytes));
    // The C prototype lacks const; the function reads only.
    state = ::crc32_iscsi(const_cast<std::uint8_t*>(piece.data()), static_cast<int>(piece.size()), state);
    data = data.subspan(piece.size());
  }
  return ~state;
}

Bytes combine_crc(Checksum kind, ByteView a, ByteView b, std::uint64_t b_size_bytes) {
  switch (kind) {
    case Checksum::kCrc32:
      return combine_words(a, b, b_size_bytes, kCrc32Polynomial);
    case Checksum::kCrc32c:
      return combine_words(a, b, b_size_bytes, kCrc32cPolynomial);
    case Checksum::kCrc64Nvme:
      return combine_words(a, b, b_size_bytes, kCrc64NvmePolynomial);
    default:
      break;
  }
  CHECK(false, "only CRCs can be combined");
}

namespace {

template <typename Word, Word (*Function)(Word, ByteView)>
class CrcHasher final : public Hasher {
 public:
  void update(ByteView data) override { crc_ = Function(crc_, data); }
  Bytes finish() override { return write_big_endian(crc_); }

 private:
  Word crc_ = 0;
};

}  // namespace

std::unique_ptr<Hasher> make_crc_hasher(Checksum kind) {
  switch (kind) {
    case Checksum::kCrc32:
      return std::make_unique<CrcHasher<std::uint32_t, crc32>>();
    case Checksum::kCrc32c:
      return std::make_unique<CrcHasher<std::uint32_t, crc32c>>();
    case Checksum::kCrc64Nvme:
      return std::make_unique<CrcHasher<std::uint64_t, crc64nvme>>();
    default:
      return nullptr;
  }
}

}  // namespace andromede::crypto
