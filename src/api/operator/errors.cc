#include "api/operator/errors.h"

#include <iterator>
#include <nlohmann/json.hpp>

namespace andromede::api {
namespace {

struct Rendering {
  Errc code;
  const char* word;
  unsigned status;
};

constexpr Rendering kRenderings[] = {
    {Errc::kInvalidArgument, "invalid_argument", 400},
    {Errc::kNotFound, "not_found", 404},
    {Errc::kAlreadyExists, "already_exists", 409},
    {Errc::kConflict, "conflict", 409},
    {Errc::kRefused, "refused", 422},
    {Errc::kNoSpace, "no_space", 507},
    {Errc::kTimeout, "timeout", 504},
    {Errc::kOverloaded, "overloaded", 503},
    {Errc::kUnavailable, "unavailable", 503},
    {Errc::kNotBegun, "unavailable", 503},
    {Errc::kCancelled, "cancelled", 503},
    {Errc::kCorrupt, "corrupt", 500},
    {Errc::kIo, "io", 500},
    {Errc::kUnsupported, "unsupported", 501},
};

const Rendering* find(const Error& error) {
  for (const Rendering& rendering : kRenderings) {
    if (error == rendering.code) return &rendering;
  }
  return nullptr;
}

}  // namespace

const char* operator_error_word(const Error& error) {
  const Rendering* rendering = find(error);
  return rendering != nullptr ? rendering->word : "internal";
}

unsigned operator_error_status(const Error& error) {
  const Rendering* rendering = find(error);
  return rendering != nullptr ? rendering->status : 500;
}

std::string render_operator_error(const Error& error) {
  const nlohmann::json json{{"code", operator_error_word(error)}, {"message", error.message()}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace andromede::api
