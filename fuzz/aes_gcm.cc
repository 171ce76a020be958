// The engine that this process chose for AES-256-GCM against OpenSSL, on any key, nonce, context, length and alignment:
// the same bytes out, and what one seals the other opens, unless a bit was changed.
#include "crypto/aes_gcm.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace andromede;
using crypto::GcmUse;
using crypto::kGcmTagBytes;

void demand(bool holds) {
  if (!holds) std::abort();
}

ByteView take(ByteView& data, std::size_t count) {
  const ByteView taken = data.first(std::min(count, data.size()));
  data = data.subspan(taken.size());
  return taken;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  ByteView data(input, size);
  constexpr std::size_t kHeadBytes = crypto::SecretKey::kSize + crypto::kGcmNonceBytes + 6;
  if (size < kHeadBytes) return 0;
  const crypto::SecretKey key = *crypto::SecretKey::from_bytes(take(data, crypto::SecretKey::kSize));
  crypto::GcmNonce nonce;
  std::ranges::copy(take(data, nonce.size()), nonce.begin());
  const std::size_t context_size = take(data, 1)[0];
  const std::size_t shift_in = take(data, 1)[0] % 64;
  const std::size_t shift_out = take(data, 1)[0] % 64;
  const bool in_place = take(data, 1)[0] % 2 == 1;
  // Few inputs are long: the rest of a message is what came, again and again.
  const ByteView length = take(data, 2);
  const ByteView context = take(data, context_size);
  Bytes plain(std::max<std::size_t>(data.size(), length[0] == 0 ? 0 : (length[0] << 8 | length[1])));
  for (std::size_t i = 0; i < plain.size() && !data.empty(); ++i) plain[i] = data[i % data.size()];

  Bytes expected(plain.size() + kGcmTagBytes);
  crypto::openssl_aes_gcm().make(key, GcmUse::kSeal)->seal(nonce, context, plain, expected.data());

  Bytes from(shift_in + expected.size());
  std::ranges::copy(plain, from.begin() + static_cast<std::ptrdiff_t>(shift_in));
  Bytes to(shift_out + expected.size());
  std::uint8_t* const in = from.data() + shift_in;
  std::uint8_t* const out = in_place ? in : to.data() + shift_out;
  crypto::aes_gcm().make(key, GcmUse::kSeal)->seal(nonce, context, {in, plain.size()}, out);
  demand(std::equal(expected.begin(), expected.end(), out));

  const auto opener = crypto::aes_gcm().make(key, GcmUse::kOpen);
  Bytes opened(expected.size());
  demand(opener->open(nonce, context, expected, opened.data()));
  demand(std::equal(plain.begin(), plain.end(), opened.begin()));
  Bytes changed = expected;
  changed[(length[0] * 257U + length[1]) % changed.size()] ^= static_cast<std::uint8_t>(1U << (shift_in % 8));
  demand(!opener->open(nonce, context, changed, changed.data()));
  demand(std::all_of(changed.begin(), changed.end() - kGcmTagBytes, [](std::uint8_t byte) { return byte == 0; }));
  return 0;
}
