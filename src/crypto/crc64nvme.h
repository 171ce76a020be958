// The two ways in which crc64nvme() (crypto/digest.h) is computed, apart so that each can be tested against the other.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace andromede::crypto {

// Eight bytes a step from tables: any processor, about 2 GB/s.
std::uint64_t crc64nvme_by_tables(std::uint64_t seed, ByteView data);

// 128 bytes a step by carry-less multiplication, after Gopal et al., "Fast CRC Computation for Generic Polynomials
// Using PCLMULQDQ Instruction", 2009. Only where can_fold_crc64nvme().
std::uint64_t crc64nvme_by_folding(std::uint64_t seed, ByteView data);
bool can_fold_crc64nvme();

}  // namespace andromede::crypto
