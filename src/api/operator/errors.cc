#include "api/operator/errors.h"

#include <nlohmann/json.hpp>
#include <vector>

namespace andromede::api {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "operator"; }
  [[nodiscard]] std::string message(int value) const override;
};

struct Rendering {
  template <typename Enum>
  Rendering(Enum value, const char* the_word, unsigned the_status)
      : error(make_error_code(value)), word(the_word), status(the_status) {}
  std::error_code error;
  const char* word;
  unsigned status;
};

const std::vector<Rendering>& renderings() {
  static const std::vector<Rendering> rows = {
      {OperatorErrc::kUnauthorised, "unauthorised", 401},
      {OperatorErrc::kTooManyWrongTokens, "overloaded", 429},
      {OperatorErrc::kDenied, "denied", 403},
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
  return rows;
}

const Rendering* find(const std::error_code& error) {
  for (const Rendering& rendering : renderings()) {
    if (rendering.error == error) return &rendering;
  }
  return nullptr;
}

std::string Category::message(int value) const {
  const Rendering* row = find(std::error_code(value, *this));
  return row == nullptr ? "unknown error" : row->word;
}

}  // namespace

const std::error_category& operator_category() noexcept {
  static const Category category;
  return category;
}

const char* operator_error_word(const Error& error) {
  const Rendering* rendering = find(error.code());
  return rendering != nullptr ? rendering->word : "internal";
}

unsigned operator_error_status(const Error& error) {
  const Rendering* rendering = find(error.code());
  return rendering != nullptr ? rendering->status : 500;
}

std::string render_operator_error(const Error& error) {
  const nlohmann::json json{{"code", operator_error_word(error)}, {"message", error.message()}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace andromede::api
