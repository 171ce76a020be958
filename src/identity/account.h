// A tenant.
#pragma once

#include <string>

#include "base/ids.h"

namespace andromede::identity {

struct Account {
  AccountId id;              // twelve digits
  std::string display_name;  // "Ministère de la Culture"
  std::string canonical_id;  // 64 hexadecimal digits: the owner id that S3 shows
};

}  // namespace andromede::identity
