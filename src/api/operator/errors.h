// How errors look on the operator's listener: {"code": "refused", "message": "…"} with a matching HTTP status.
#pragma once

#include <string>
#include <system_error>

#include "base/result.h"

namespace andromede::api {

// Errors that this front end finds by itself.
enum class OperatorErrc {
  kUnauthorised = 1,    // no right token
  kTooManyWrongTokens,  // of one peer, of late
  kDenied,              // identity::decide() says no
};
const std::error_category& operator_category() noexcept;
inline std::error_code make_error_code(OperatorErrc code) noexcept {
  return {static_cast<int>(code), operator_category()};
}

// The word that stands for an error in JSON: "refused", "conflict", "not_found" …; scripts decide by it.
const char* operator_error_word(const Error& error);
unsigned operator_error_status(const Error& error);
std::string render_operator_error(const Error& error);

}  // namespace andromede::api

template <>
struct std::is_error_code_enum<andromede::api::OperatorErrc> : std::true_type {};
