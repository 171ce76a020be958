// Internal to api/operator: one authenticated call, and how its parts are read.
#pragma once

#include <atomic>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <string_view>

#include "api/operator/front_end.h"

namespace andromede::api {

struct OperatorCall {
  const OperatorServices& services;
  const OperatorOptions& options;
  const Clock& clock;
  std::atomic<bool>& verifying;  // the journal is being verified
  std::string name;              // what the path names: a job's number, a drive, an account
  std::map<std::string, std::string> query = {};
  nlohmann::json body = nlohmann::json::object();
  identity::Context context = {};
};

std::string dump(const nlohmann::json& value);
// kInvalidArgument names `what`.
Result<std::uint64_t> parse_number(std::string_view text, std::string_view what);
// kInvalidArgument: another key is there.
Status only_keys(const nlohmann::json& body, std::initializer_list<std::string_view> known);
// kInvalidArgument: it is missing or no string.
Result<std::string> read_text(const nlohmann::json& body, const char* key);

}  // namespace andromede::api
