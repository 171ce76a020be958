// decode_entry on any bytes, and on bytes whose hash was made right: what decodes encodes identically.
#include <cstdlib>

#include "journal/journal.h"

namespace {

void check(andromede::ByteView bytes) {
  const auto entry = andromede::journal::decode_entry(bytes);
  if (entry && andromede::journal::encode(*entry) != andromede::as_text(bytes)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check({data, size});
  // No mutation finds a hash: give one to what stands before it, so that the rest of the decoder is reached.
  andromede::Bytes sealed(data, data + size);
  const auto hash = andromede::crypto::sha256(sealed);
  sealed.insert(sealed.end(), hash.begin(), hash.end());
  check(sealed);
  return 0;
}
