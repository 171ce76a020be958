// A certificate authority of the cloud's own, for trying things out and for closed networks: ca.crt, server.crt and
// server.key in a folder. ECDSA on P-256. The authority signs this one certificate and lives as long, two years; it may
// speak for the server's names only (RFC 5280 section 4.2.1.10, critical), and its key is never written down.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "config.h"

namespace andromede::app {

// `names`: DNS names and IP addresses of the server; localhost, 127.0.0.1 and ::1 are added. The key gets mode 0600.
// kAlreadyExists when an authority is there.
Status make_local_ca(const std::string& folder, const std::vector<std::string>& names);

// All that such a certificate speaks for.
std::set<std::string> local_ca_names(const std::vector<std::string>& names);

// The names by which clients reach the configured tenants' listener.
std::vector<std::string> certificate_names(const Config& config);

// A new authority and certificate in the place of the old ones, in one step. Clients then trust the new ca.crt, and
// SIGHUP tells the server. kNotFound: no local authority is there.
Status renew_local_ca(const std::string& folder, const std::vector<std::string>& names);

}  // namespace andromede::app
