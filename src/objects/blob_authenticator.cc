#include "objects/blob_authenticator.h"

#include "objects/layout.h"
#include "objects/liars.h"
#include "objects/records.h"

namespace andromede::objects {

Result<blob::Suspects> BlobAuthenticator::liars(const blob::BlobRef& ref, std::uint64_t begin, std::uint64_t end) {
  TRY(const std::optional<std::string> stored,
      sync_wait(meta_.get_anywhere({meta::Space::kRecords, layout::blob(ref.id)}, Deadline::after(clock_, deadline_))));
  if (!stored) return fail(Errc::kNotFound, "no record names the blob " + ref.id.to_string());
  TRY(const BlobRecord record, decode_blob(as_bytes(*stored)));
  keys::KeyUse use;
  use.blob = ref.id;
  TRY(const crypto::SecretKey key, sync_wait(keys_.open_data_key(record.key, record.wrapped_key, use)));
  crypto::SegmentOpener opener(key, ref.id);
  blob::Suspects liars;
  for (std::uint32_t segment = first_segment(begin); segment < behind_segment(end); ++segment) {
    const Deadline deadline = Deadline::after(clock_, deadline_);
    TRY(liars, sync_wait(find_liars(blobs_, ref, opener, segment, liars, deadline)));
  }
  return liars;
}

}  // namespace andromede::objects
