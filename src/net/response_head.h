// The head of a response (RFC 9112 section 4), as text. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace andromede::net {

struct ResponseFraming {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool http_1_0 = false;  // the client must be told that the connection stays open
};

// Appends the status line, `head`'s headers and those of the framing, and the empty line. Control characters in headers
// become blanks, so that no value can end its line and forge another.
void append_response_head(std::string& out, const ResponseHead& head, const ResponseFraming& framing,
                          std::string_view date);

// Whether a response with that status has no body whatever its headers say (RFC 9112 section 6.3).
bool status_forbids_body(unsigned status) noexcept;

}  // namespace andromede::net
