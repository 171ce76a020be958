#include "objects/liars.h"

#include <algorithm>
#include <vector>

namespace andromede::objects {
namespace {

using crypto::kSealedSegmentBytes;
using crypto::kTagBytes;

// Whether the segment is what was sealed, read without these parts.
Task<Result<bool>> is_authentic(blob::Store& blobs, blob::BlobRef ref, crypto::SegmentOpener& opener,
                                std::uint32_t segment, blob::Suspects without, Deadline deadline) {
  const std::uint64_t begin = std::uint64_t{segment} * kSealedSegmentBytes;
  const std::uint64_t size = std::min<std::uint64_t>(kSealedSegmentBytes, ref.size_bytes - begin);
  const bool last = begin + size == ref.size_bytes;
  if (size < kTagBytes) co_return false;
  CO_TRY(const auto reader, co_await blobs.open_reader(std::move(ref), begin, size, deadline, without));
  Bytes sealed;
  sealed.reserve(size);
  while (sealed.size() < size) {
    CO_TRY(const ByteView view, co_await reader->read());
    if (view.empty()) co_return false;
    sealed.insert(sealed.end(), view.begin(), view.end());
  }
  co_return opener.open(segment, sealed, last, sealed.data()).has_value();
}

}  // namespace

std::uint32_t first_segment(std::uint64_t begin) { return static_cast<std::uint32_t>(begin / kSealedSegmentBytes); }

std::uint32_t behind_segment(std::uint64_t end) {
  return static_cast<std::uint32_t>((end + kSealedSegmentBytes - 1) / kSealedSegmentBytes);
}

Task<Result<blob::Suspects>> find_liars(blob::Store& blobs, blob::BlobRef ref, crypto::SegmentOpener& opener,
                                        std::uint32_t segment, blob::Suspects known, Deadline deadline) {
  const std::vector<blob::Suspects> sets = blobs.suspects(ref, known, kMaxLiarTries);
  bool some_are_away = false;
  for (const blob::Suspects without : sets) {
    const auto authentic = co_await is_authentic(blobs, ref, opener, segment, without, deadline);
    if (authentic && *authentic) co_return without;
    const bool too_few =
        !authentic && (authentic.error() == Errc::kCorrupt || authentic.error() == Errc::kUnavailable ||
                       authentic.error() == Errc::kNotFound);
    if (!authentic && !too_few) co_return fail(authentic.error());
    some_are_away = some_are_away || (!authentic && authentic.error() == Errc::kUnavailable);
  }
  if (some_are_away) {
    co_return fail(Errc::kUnavailable, "segment " + std::to_string(segment) + " of blob " + ref.id.to_string() +
                                           " is not what was written, and too few of its other parts are online");
  }
  co_return fail(Errc::kCorrupt, "segment " + std::to_string(segment) + " of blob " + ref.id.to_string() +
                                     " is not what was written, whatever is left out");
}

}  // namespace andromede::objects
