// How errors look on the operator's listener: {"code": "refused", "message": "…"} with a matching HTTP status.
#pragma once

#include <string>

#include "base/result.h"

namespace andromede::api {

// The word that stands for an error in JSON: "refused", "conflict", "not_found" …; scripts decide by it.
const char* operator_error_word(const Error& error);
unsigned operator_error_status(const Error& error);
std::string render_operator_error(const Error& error);

}  // namespace andromede::api
