// The consortium as it is recorded in the metadata, what two of them differ in, and which changes are allowed
// (docs/formats/consortium.md). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/digest.h"
#include "sovereignty/consortium.h"

namespace andromede::sovereignty {

inline constexpr std::size_t kMaxConsortiumBytes = 256 * 1024;

// The file's meaning as bytes: comments, layout, the order of tables, and where a drive is mounted and how much of it
// is used are not part of it.
Bytes canonical(const Consortium& consortium);
crypto::Sha256Digest digest(const Consortium& consortium);

struct ConsortiumRecord {
  std::uint64_t version = 0;  // 1, 2, 3 …
  Timestamp applied;
  crypto::Sha256Digest digest{};    // of what `text` means
  crypto::Sha256Digest previous{};  // of the version before; zeros in version 1
  std::string text;                 // TOML, as it was given; at most kMaxConsortiumBytes
};

// What is another in `to`, one line each, for people; none when both mean the same.
std::vector<std::string> differences(const Consortium& from, const Consortium& to);

// A drive that the drive map has in use.
struct DriveInUse {
  DriveName name;
  SiteId site;
  AssociateId associate;
  bool leaving = false;  // withdrawn: nothing new is placed there
};
// `in_use`: all that are. kRefused says which change is not allowed, and what to do instead. Allowed are: names of the
// consortium and its associates, seats, capital, cities; policies that come, and which of them is the default;
// associates, sites and drives that come, or that nothing in use needs.
Status check_change(const Consortium& from, const Consortium& to, const std::vector<DriveInUse>& in_use);

}  // namespace andromede::sovereignty
