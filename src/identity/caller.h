// Who an authenticated request acts as, and the journal event that names them.
#pragma once

#include <string>

#include "identity/directory.h"
#include "identity/operator_caller.h"
#include "journal/journal.h"

namespace andromede::identity {

struct Caller {
  Account account;
  std::string access_key_id;
  std::string request_id;
  std::string source_address;  // as text, for the journal
  std::string peer;            // for whom what it holds is counted (net::RequestHead::peer)
  std::string user_agent;
};

// An Event of `name` ("PutObject") at `source` ("s3.andromede") with the caller's fields filled in.
journal::Event event_of(const Caller& caller, std::string source, std::string name);

}  // namespace andromede::identity
