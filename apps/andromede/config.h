// The configuration: one TOML file. An unknown key, a bad value or a missing file is an error that names line and
// remedy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace andromede::app {

struct Endpoint {
  std::string address;  // without brackets
  std::uint16_t port = 0;
  [[nodiscard]] bool loopback() const;
  // Stands for all addresses of the machine: one to listen on, and none to connect to.
  [[nodiscard]] bool everywhere() const;
  // Nobody can listen here while somebody does at `other`.
  [[nodiscard]] bool taken_by(const Endpoint& other) const;
  [[nodiscard]] std::string to_string() const;
  bool operator==(const Endpoint&) const = default;
};

// "127.0.0.1:9000", "[::1]:9000"
Result<Endpoint> parse_endpoint(std::string_view text);

struct Config {
  std::string file;        // its own path, absolute
  std::string folder;      // the cloud's, absolute
  std::string consortium;  // absolute

  Endpoint s3;
  std::string region;
  std::vector<std::string> virtual_hosts;  // suffixes: bucket.SUFFIX
  std::string tls_certificate;             // absolute; both or none
  std::string tls_key;
  // "file:line" that names each file of these.
  std::string consortium_at;
  std::string tls_certificate_at;
  std::string tls_key_at;
  bool insecure_http = false;

  Endpoint operators;

  std::uint64_t cache_bytes = 0;
  std::uint64_t bandwidth_bytes_per_s = 0;
  unsigned event_loops = 0;  // 0: one per core

  LogLevel log_level = LogLevel::kInfo;
  bool access_log = false;  // a line for every S3 request, not only for those that failed
  bool operator==(const Config&) const = default;
};

// kInvalidArgument, kNotFound, kIo.
Result<Config> read_config(const std::string& path);
// The keys, as "[s3] region", that mean something else in `to`: what a running process would have to be restarted for.
std::vector<std::string> changed_keys(const Config& from, const Config& to);
// Whether the TLS files that it names are there, for who will serve: kInvalidArgument with the line that names one.
Status check_files(const Config& config);
// `text` as the file `path`: relative paths in it are relative to that file's folder.
Result<Config> parse_config(std::string_view text, const std::string& path);

}  // namespace andromede::app
