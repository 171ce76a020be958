// Memory for secrets: kept out of core dumps (MADV_DONTDUMP; gcore of root's leaves it out too) and, as far as the
// system allows (RLIMIT_MEMLOCK), out of swap (mlock). Wiped when given back. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

namespace andromede::crypto {

inline constexpr std::size_t kSecretSlotBytes = 64;

// One slot of zeros. A slot costs a lock and no system call, but for every thousandth.
std::uint8_t* take_secret_slot();
// Wipes it. Null: nothing.
void give_back_secret_slot(std::uint8_t* slot) noexcept;

// The same, larger and aligned to 64 bytes: for an expanded key.
inline constexpr std::size_t kSecretBlockBytes = 1216;
std::uint8_t* take_secret_block();
void give_back_secret_block(std::uint8_t* block) noexcept;

}  // namespace andromede::crypto
