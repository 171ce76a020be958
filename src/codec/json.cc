#include "codec/json.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace andromede::codec {
namespace {

using nlohmann::json;

// Builds the document value by value, refusing at the first thing beyond a limit: what is refused is never held.
class Builder final : public nlohmann::json_sax<json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return scalar(json(nullptr)); }
  bool boolean(bool value) override { return scalar(json(value)); }
  bool number_integer(number_integer_t value) override { return scalar(json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(json(value)); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(json(value)); }
  bool string(string_t& value) override { return scalar(json(std::move(value))); }
  bool binary(binary_t&) override { return refuse("binary data"); }
  bool start_object(std::size_t) override { return start(json::object()); }
  bool end_object() override { return end(); }
  bool start_array(std::size_t) override { return start(json::array()); }
  bool end_array() override { return end(); }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) return refuse("the key \"" + name + "\" is there twice");
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("malformed near byte " + std::to_string(position));
  }

  [[nodiscard]] const std::string& reason() const { return reason_; }
  json take() { return std::move(root_); }

 private:
  bool refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  // Puts the value where it belongs; null when the document has too many.
  json* place(json value) {
    if (++values_ > limits_.values) {
      refuse("more than " + std::to_string(limits_.values) + " values");
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }
  bool scalar(json value) { return place(std::move(value)) != nullptr; }
  bool start(json value) {
    if (open_.size() >= limits_.depth) return refuse("nested deeper than " + std::to_string(limits_.depth));
    json* const placed = place(std::move(value));
    if (placed == nullptr) return false;
    open_.push_back(placed);
    return true;
  }
  bool end() {
    open_.pop_back();
    return true;
  }

  const JsonLimits limits_;
  json root_;
  // A parent's array may move its elements when it grows, but only while none of them is open.
  std::vector<json*> open_;
  std::string key_;
  std::size_t values_ = 0;
  std::string reason_;
};

}  // namespace

Result<json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return fail(Errc::kInvalidArgument, "JSON: larger than " + std::to_string(limits.bytes) + " bytes");
  }
  Builder builder(limits);
  try {
    if (!json::sax_parse(text, &builder)) return fail(Errc::kInvalidArgument, "JSON: " + builder.reason());
  } catch (const json::exception&) {
    return fail(Errc::kInvalidArgument, "JSON: malformed");
  }
  return builder.take();
}

}  // namespace andromede::codec
