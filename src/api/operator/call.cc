#include "api/operator/call.h"

#include <algorithm>
#include <charconv>

namespace andromede::api {

using nlohmann::json;

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

Result<std::uint64_t> parse_number(std::string_view text, std::string_view what) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return fail(Errc::kInvalidArgument, std::string(what) + " must be a whole number");
  }
  return number;
}

Status only_keys(const json& body, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : body.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return fail(Errc::kInvalidArgument, "unknown key \"" + key + "\"");
    }
  }
  return {};
}

Result<std::string> read_text(const json& body, const char* key) {
  const auto found = body.find(key);
  if (found == body.end() || !found->is_string()) {
    return fail(Errc::kInvalidArgument, std::string(key) + " is missing: a string is required");
  }
  return found->get<std::string>();
}

}  // namespace andromede::api
