// Every decoder of what objects/, blob/ and the embedded engine keep in the metadata, on arbitrary bytes. The first
// byte chooses the decoder; the rest is tried as it is, and with a right checksum put behind it, so that the fields
// behind the checksum are reached.
#include <cstdint>

#include "base/check.h"
#include "blob/shards/sharded_blob.h"
#include "blob/store.h"
#include "crypto/digest.h"
#include "meta/rocksdb/root_record.h"
#include "objects/records.h"

namespace {

using namespace andromede;

// What decodes must survive being encoded and decoded again.
template <typename Decode>
void try_decoder(Decode decode, ByteView bytes) {
  const auto first = decode(bytes);
  if (!first) return;
  const std::string encoded = encode(*first);
  const auto second = decode(as_bytes(encoded));
  CHECK(second.has_value(), "what was decoded can be encoded and decoded again");
  CHECK(*second == *first, "and is the same then");
}

void try_all(std::uint8_t which, ByteView bytes) {
  switch (which % 12) {
    case 0:
      return try_decoder(objects::decode_bucket, bytes);
    case 1:
      return try_decoder(meta::decode_root, bytes);
    case 2:
      return try_decoder(objects::decode_object, bytes);
    case 3:
      return try_decoder(objects::decode_upload, bytes);
    case 4:
      return try_decoder(objects::decode_part, bytes);
    case 5:
      return try_decoder(objects::decode_part_list, bytes);
    case 6:
      return try_decoder(blob::decode_blob_ref, bytes);
    case 11: {
      const blob::BlobRef ref{.id = {}, .size_bytes = 0, .policy = {}, .locator = to_bytes(bytes)};
      const auto blob = blob::sharded(ref);
      CHECK(!blob || blob::ref_of(*blob) == ref, "a locator has one encoding");
      return;
    }
    case 7:
      return try_decoder(objects::decode_bucket_count, bytes);
    case 8:
      return try_decoder(objects::decode_deleted_bucket, bytes);
    case 9:
      return try_decoder(objects::decode_blob, bytes);
    default: {
      const auto head = objects::decode_object_head(bytes);
      const auto object = objects::decode_object(bytes);
      CHECK(!object || (head && *head == object->head), "a head is what its object says");
      return;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  try_all(data[0], bytes);
  Bytes sealed = to_bytes(bytes);
  ByteWriter(sealed).u32(crypto::crc32c(0, bytes));
  try_all(data[0], sealed);
  return 0;
}
