#include "aws_hints.h"

#include <filesystem>

#include "cloud_folder.h"

namespace andromede::app {

std::string client_endpoint(const Config& config) {
  Endpoint endpoint = config.s3;
  if (endpoint.everywhere()) {
    endpoint.address = endpoint.address == "::" ? "::1" : "127.0.0.1";
    if (!config.virtual_hosts.empty()) endpoint.address = config.virtual_hosts.front();
  }
  return (config.tls_certificate.empty() ? "http://" : "https://") + endpoint.to_string();
}

std::string aws_settings(const Config& config) { return "AWS_DEFAULT_REGION=" + shell_word(config.region); }

std::string aws_s3(const Config& config) {
  std::string words = "aws --endpoint-url " + shell_word(client_endpoint(config));
  const std::string authority = CloudFolder{config.folder}.tls() + "/ca.crt";
  std::error_code code;
  // Not AWS_CA_BUNDLE, which who exports it breaks rclone with.
  if (!config.tls_certificate.empty() && std::filesystem::exists(authority, code)) {
    words += " --ca-bundle " + shell_word(authority);
  }
  return words + " s3";
}

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@%+=,";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace andromede::app
