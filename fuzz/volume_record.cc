// Heads, headers and seals of records, and blob refs: whatever a drive or the metadata gives back.
#include <algorithm>

#include "base/check.h"
#include "blob/volumes/record.h"
#include "crypto/digest.h"

namespace {

using namespace andromede;
using namespace andromede::blob;

// A fuzzer does not find checksums: this puts the right one behind the first `size` bytes.
Bytes with_checksum(ByteView bytes, std::size_t size) {
  Bytes sealed(bytes.begin(), bytes.end());
  sealed.resize(size);
  ByteWriter(sealed).u32(crypto::crc32c(0, sealed));
  return sealed;
}

void check_head(ByteView bytes) {
  const auto head = decode_head(bytes, 7, 4096);
  if (!head) return;
  CHECK(head->header.offset == 4096 && head->header.volume == 7, "a head stands at its place");
  CHECK(std::ranges::equal(encode(head->header), bytes.first(kHeaderBytes)), "one header, one encoding");
  const RecordLayout layout(head->header.code, head->header.declared_bytes);
  CHECK(head->live_bytes() <= head->header.region_bytes, "a record lies in its region");
  CHECK(layout.end_offset() <= head->header.region_bytes, "and its blocks do");
}

void check_ref(ByteView bytes) {
  const auto ref = decode_blob_ref(bytes);
  if (!ref) return;
  CHECK(std::ranges::equal(as_bytes(encode(*ref)), bytes), "one ref, one encoding");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  check_head(bytes);
  check_ref(bytes);
  const Bytes header = with_checksum(bytes, kHeaderBytes - kChecksumBytes);
  if (const auto decoded = decode_header(header)) {
    CHECK(std::ranges::equal(encode(*decoded), header), "one header, one encoding");
  }
  const Bytes seal = with_checksum(bytes, kSealBytes - kChecksumBytes);
  if (const auto decoded = decode_seal(seal)) {
    CHECK(std::ranges::equal(encode(*decoded), seal), "one seal, one encoding");
  }
  if (size > 0) check_ref(with_checksum(bytes, size));
  return 0;
}
