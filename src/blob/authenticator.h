// blob::Authenticator: tells whether what a blob's redundancy gives is what was written, which checksums cannot:
// whoever writes a drive can compute them. Implemented where the keys are, by objects/. Methods block: maintenance
// threads only. Thread-safe.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "blob/store.h"

namespace andromede::blob {

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // What to leave out so that bytes [begin, end) of the blob are read as they were written: the parts that lied; none:
  // they are right as they are read. kCorrupt: they are wrong whatever is left out. kNotFound: no record names that
  // blob any more. Else what reading fails with.
  virtual Result<Suspects> liars(const BlobRef& ref, std::uint64_t begin, std::uint64_t end) = 0;
};

}  // namespace andromede::blob
