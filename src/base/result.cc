#include "base/result.h"

namespace andromede {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "andromede"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::kInternal:
        return "internal error";
      case Errc::kInvalidArgument:
        return "invalid argument";
      case Errc::kNotFound:
        return "not found";
      case Errc::kAlreadyExists:
        return "already exists";
      case Errc::kConflict:
        return "conflict";
      case Errc::kCorrupt:
        return "corrupt";
      case Errc::kIo:
        return "input/output error";
      case Errc::kNoSpace:
        return "no space";
      case Errc::kTimeout:
        return "timed out";
      case Errc::kCancelled:
        return "cancelled";
      case Errc::kOverloaded:
        return "overloaded";
      case Errc::kUnavailable:
        return "unavailable";
      case Errc::kNotBegun:
        return "not begun";
      case Errc::kRefused:
        return "refused";
      case Errc::kUnsupported:
        return "unsupported";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& errc_category() noexcept {
  static const Category category;
  return category;
}

std::string Error::describe() const {
  return std::string(code_.category().name()) + ": " + code_.message() + ": " + message_;
}

Error Error::in(std::string_view context) const { return {code_, std::string(context) + ": " + message_}; }

}  // namespace andromede
