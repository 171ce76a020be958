// awsJson 1.0 and 1.1, the protocol of KMS and CloudTrail: JSON in, JSON out, the operation in a header (Smithy, "AWS
// JSON 1.1 protocol"). Held to Smithy's protocol tests by awsjson_test.cc. Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/protocols/reader.h"
#include "api/protocols/scalars.h"
#include "api/protocols/shape.h"
#include "base/result.h"
#include "codec/json.h"

namespace andromede::api::protocols {

// A value of the document, or where one would be; null is none.
class JsonNode {
 public:
  explicit JsonNode(const nlohmann::json& root) : JsonNode(&root, "") {}

  [[nodiscard]] bool present() const { return value_ != nullptr && !value_->is_null(); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Status structure() const;
  [[nodiscard]] JsonNode member(std::string_view name) const;
  [[nodiscard]] Result<std::vector<JsonNode>> items(const Form& form) const;
  [[nodiscard]] Result<std::vector<std::pair<std::string, JsonNode>>> entries(const Form& form) const;
  [[nodiscard]] Result<std::string> text() const;
  [[nodiscard]] Result<bool> boolean() const;
  [[nodiscard]] Result<std::int64_t> integer() const;
  [[nodiscard]] Result<double> number() const;
  [[nodiscard]] Result<Timestamp> time(TimeFormat format) const;

 private:
  JsonNode(const nlohmann::json* value, std::string path) : value_(value), path_(std::move(path)) {}

  const nlohmann::json* value_;
  std::string path_;
};

// Views into the header x-amz-target: "TrentService.CreateKey".
struct JsonTarget {
  std::string_view service;
  std::string_view operation;
};
// ShapeErrc::kMalformed.
Result<JsonTarget> parse_awsjson_target(std::string_view header);

// The body of a request: an object; an empty body is an empty one. ShapeErrc::kMalformed.
Result<nlohmann::json> parse_awsjson(std::string_view body, const codec::JsonLimits& limits = {});

// What the operation takes. ShapeErrc.
template <Shape T>
Result<T> read_awsjson(const nlohmann::json& document) {
  return read_shape<T>(JsonNode(document));
}

// The value of a member.
template <typename T>
nlohmann::ordered_json to_awsjson(const T& member, const Form& form);

// Visits members by adding them to an object.
class JsonMembers {
 public:
  explicit JsonMembers(nlohmann::ordered_json& object) : object_(object) {}

  template <typename T>
  void operator()(std::string_view name, const T& member, const Form& form = {}) {
    if constexpr (kIsOptional<T>) {
      if (member) (*this)(name, *member, form);
    } else {
      object_[std::string(name)] = to_awsjson(member, form);
    }
  }

 private:
  nlohmann::ordered_json& object_;
};

nlohmann::ordered_json time_to_awsjson(Timestamp time, TimeFormat format);

template <typename T>
nlohmann::ordered_json to_awsjson(const T& member, const Form& form) {
  using Json = nlohmann::ordered_json;
  if constexpr (kIsList<T>) {
    Json list = Json::array();
    for (const auto& item : member) list.push_back(to_awsjson(item, form));
    return list;
  } else if constexpr (kIsMap<T>) {
    Json map = Json::object();
    for (const auto& [key, value] : member) map[key] = to_awsjson(value, form);
    return map;
  } else if constexpr (Shape<T>) {
    Json object = Json::object();
    JsonMembers members(object);
    T::members(member, members);
    return object;
  } else if constexpr (std::same_as<T, Bytes>) {
    return to_base64(member);
  } else if constexpr (std::same_as<T, Timestamp>) {
    return time_to_awsjson(member, form.time);
  } else if constexpr (std::same_as<T, double>) {
    return std::isfinite(member) ? Json(member) : Json(format_number(member));
  } else {
    return member;
  }
}

// Bytes of a document; what is no UTF-8 becomes U+FFFD.
std::string dump_awsjson(const nlohmann::ordered_json& document);

template <Shape T>
std::string render_awsjson(const T& result) {
  return dump_awsjson(to_awsjson(result, {}));
}

// `code`: "NotFoundException".
std::string render_awsjson_error(std::string_view code, std::string_view message);

}  // namespace andromede::api::protocols
