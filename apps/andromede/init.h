// `andromede init`: makes a cloud from a consortium file.
#pragma once

#include <set>
#include <string>

#include "base/result.h"

namespace andromede::app {

struct InitOptions {
  std::string folder;
  std::string consortium;
  std::string s3_listen = "127.0.0.1:9000";
  std::string operator_listen = "127.0.0.1:9001";
  std::string operator_name = "operator";  // the first one
  bool local_ca = false;                   // make a certificate authority and a server certificate under tls/
};

struct InitReport {
  std::string config;
  std::string credentials;
  std::string endpoint;
  std::string ca_certificate;  // empty without local_ca
  std::set<std::string> certificate_names;
  bool reachable = true;  // one of those names is one by which the listener's clients come
  std::size_t drives = 0;
  std::size_t tenants = 0;
};

// kAlreadyExists when the folder holds a cloud; kInvalidArgument, kNotFound for the consortium file; kIo.
Result<InitReport> init_cloud(const InitOptions& options);

}  // namespace andromede::app
