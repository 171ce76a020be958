// Names and values of header lines (RFC 9110 sections 5.1 to 5.6). Pure functions.
#pragma once

#include <string_view>

namespace andromede::net {

// As field names are compared: ASCII case ignored.
bool same_name(std::string_view a, std::string_view b) noexcept;
// The order of names, ASCII case ignored.
bool name_before(std::string_view a, std::string_view b) noexcept;
// Whether `name` is longer than `prefix` and begins with it, ASCII case ignored.
bool has_prefix(std::string_view name, std::string_view prefix) noexcept;
// A token, as names and methods are (section 5.6.2).
bool is_token(std::string_view text) noexcept;
// What a field's value may hold (section 5.5): no control character but the tab.
bool is_field_value(std::string_view text) noexcept;
// Whether the comma-separated list holds `token`, ASCII case ignored.
bool list_has_token(std::string_view list, std::string_view token) noexcept;

}  // namespace andromede::net
