// JSON from outside: parsed with limits on size, depth and number of values, duplicate keys refused (two readers of one
// document must never see different values), strict UTF-8.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/result.h"

namespace andromede::codec {

struct JsonLimits {
  std::size_t bytes = 1 << 20;
  unsigned depth = 32;           // of nested arrays and objects
  std::size_t values = 100'000;  // scalars, arrays and objects together
};

// kInvalidArgument: malformed (with the byte offset), a key twice in one object, or beyond a limit.
Result<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace andromede::codec
