// Internal to api/operator: one authenticated call, and how its parts are read.
#pragma once

#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "api/operator/front_end.h"

namespace andromede::api {

struct OperatorFrontEnd::Call {
  std::string request_id;
  std::string path;
  RoutedPath routed;
  std::map<std::string, std::string> query;
  nlohmann::json body = nlohmann::json::object();
  identity::OperatorCaller by;
  SteadyTime began;
};

std::string dump(const nlohmann::json& value);
// kInvalidArgument names `what`.
Result<std::uint64_t> parse_number(std::string_view text, std::string_view what);
// kInvalidArgument: another key is there.
Status only_keys(const nlohmann::json& body, std::initializer_list<std::string_view> known);
// kInvalidArgument: it is missing or no string.
Result<std::string> read_text(const nlohmann::json& body, const char* key);

}  // namespace andromede::api
