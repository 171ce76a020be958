// What every API's table tells of an operation. The rest of a row, how a request is known for it and what answers it,
// is its API's own; names of metrics and log lines, the decision and the documents come from here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace andromede::api::edge {

enum class Access : std::uint8_t { kRead, kWrite };

struct Operation {
  std::string_view name = {};         // as its API names it: "PutObject"; a metrics label too
  std::string_view action = {};       // as policies name it: "s3:PutObject"; empty: nothing is asked for
  std::string_view resource = {};     // the kind of what the action is on: "object"
  Access access = Access::kRead;      // whether anything may be changed
  std::uint64_t most_body_bytes = 0;  // longer ones are refused; 0: a body counts for nothing
  bool open_to_anybody = false;       // nobody is asked who it is
};

}  // namespace andromede::api::edge
