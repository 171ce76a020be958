// The seal of a test's metadata. For tests only.
#pragma once

#include <memory>

#include "base/random.h"
#include "meta/record_seal.h"

namespace andromede::meta {

inline std::shared_ptr<const RecordSeal> test_record_seal(std::uint64_t seed = 1) {
  SeededRandom random(seed);
  return std::make_shared<const RecordSeal>(crypto::SecretKey::random(random));
}

}  // namespace andromede::meta
