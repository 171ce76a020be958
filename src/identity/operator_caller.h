// The operator on whose word something is done, and the journal event that names them.
#pragma once

#include <string>

#include "journal/journal.h"

namespace andromede::identity {

struct OperatorCaller {
  std::string name;            // as authenticated
  std::string request_id;      // empty: no request, as for `init`
  std::string source_address;  // as text
};

// An Event of `name` ("CreateAccount") at `source` ("identity.andromede") with the operator's fields filled in.
journal::Event event_of(const OperatorCaller& by, std::string source, std::string name);

}  // namespace andromede::identity
