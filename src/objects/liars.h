// Finds the parts of a blob that hold what was not written, by the one thing that a drive cannot compute: the tags of
// the blob's own encryption. Checksums only tell what rotted.
#pragma once

#include "base/deadline.h"
#include "base/result.h"
#include "base/task.h"
#include "blob/store.h"
#include "crypto/segments.h"

namespace andromede::objects {

// So many sets of parts are left out in turn, small ones first: all of up to m shards of a 6+3 blob are fewer.
inline constexpr unsigned kMaxLiarTries = 512;

// The segments of a blob that hold bytes [begin, end) of its ciphertext: first, and one behind the last.
std::uint32_t first_segment(std::uint64_t begin);
std::uint32_t behind_segment(std::uint64_t end);

// The fewest parts, `known` among them, without which the segment is what was sealed. kCorrupt: whichever are left
// out, it is not; kUnavailable: nor is it without some that are offline. Other errors of blob::Store. `blobs` and
// `opener` outlive the task.
Task<Result<blob::Suspects>> find_liars(blob::Store& blobs, blob::BlobRef ref, crypto::SegmentOpener& opener,
                                        std::uint32_t segment, blob::Suspects known, Deadline deadline);

}  // namespace andromede::objects
