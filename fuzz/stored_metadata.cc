// Every decoder of what objects/, blob/ and the embedded engine keep in the metadata, on arbitrary bytes. The first
// byte chooses the decoder; the rest is tried as it is, and with a right checksum put behind it, so that the fields
// behind the checksum are reached.
#include <cstdint>

#include "base/check.h"
#include "blob/shards/sharded_blob.h"
#include "blob/store.h"
#include "control/consortium_table.h"
#include "crypto/digest.h"
#include "identity/records.h"
#include "keys/tenant_key_record.h"
#include "meta/rocksdb/root_record.h"
#include "objects/records.h"

namespace {

using namespace andromede;

// What decodes has one encoding.
template <typename Decode>
void try_decoder(Decode decode, ByteView bytes) {
  const auto record = decode(bytes);
  CHECK(!record || encode(*record) == as_text(bytes), "what was decoded encodes to the same bytes");
}

template <typename Kind>
void try_kind(ByteView bytes) {
  const auto record = meta::decode<Kind>(bytes);
  CHECK(!record || meta::encode<Kind>(*record) == as_text(bytes), "what was decoded encodes to the same bytes");
}

void try_all(std::uint8_t which, ByteView bytes) {
  switch (which % 18) {
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
    case 12:
      return try_kind<identity::AccountKind>(bytes);
    case 13:
      return try_kind<identity::CredentialKind>(bytes);
    case 14:
      return try_kind<identity::OperatorKind>(bytes);
    case 15:
      return try_kind<keys::TenantKeyKind>(bytes);
    case 16:
      return try_kind<keys::CurrentKeyKind>(bytes);
    case 17:
      return try_kind<control::ConsortiumKind>(bytes);
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
