// A certificate authority of the cloud's own, for trying things out and for closed networks: ca.crt, ca.key,
// server.crt, server.key in a folder. ECDSA on P-256; the server's certificate is valid for two years, the authority's
// for ten.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace andromede::app {

// `names`: DNS names and IP addresses of the server. Keys get mode 0600. kAlreadyExists when the authority is there.
Status make_local_ca(const std::string& folder, const std::vector<std::string>& names);

}  // namespace andromede::app
