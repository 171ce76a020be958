// Talks to the running server's operator listener, as the operator whose token it is given. One thread.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "config.h"
#include "net/http_client.h"

namespace andromede::app {

class OperatorClient {
 public:
  // Reads the token from `token_file`. kNotFound, kRefused (others may read it).
  static Result<OperatorClient> make(const Config& config, const std::string& token_file);
  // The JSON of the answer. Errors: the server's own, by its code; kIo: it does not answer.
  Result<nlohmann::json> get(const std::string& target);
  Result<nlohmann::json> post(const std::string& target, const nlohmann::json& body);
  Result<nlohmann::json> put(const std::string& target, const nlohmann::json& body);
  Result<nlohmann::json> remove(const std::string& target);
  [[nodiscard]] const Config& config() const { return config_; }

 private:
  OperatorClient(Config config, std::string token) : config_(std::move(config)), token_(std::move(token)) {}
  Result<nlohmann::json> request(const char* method, const std::string& target, const std::string& body);

  Config config_;
  std::string token_;
  std::unique_ptr<net::Client> client_;
};

}  // namespace andromede::app
