#include "api/protocols/shape.h"

namespace andromede::api::protocols {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "shape"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<ShapeErrc>(value)) {
      case ShapeErrc::kMalformed:
        return "malformed";
      case ShapeErrc::kMissing:
        return "member missing";
      case ShapeErrc::kInvalid:
        return "member invalid";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& shape_category() noexcept {
  static const Category category;
  return category;
}

}  // namespace andromede::api::protocols
