#include "api/protocols/awsjson.h"

#include "net/names.h"

namespace andromede::api::protocols {

Status JsonNode::structure() const {
  if (value_->is_object()) return {};
  return fail(ShapeErrc::kInvalid, path_ + " is not an object");
}

JsonNode JsonNode::member(std::string_view name) const {
  std::string path = path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  const nlohmann::json* value = nullptr;
  if (value_ != nullptr && value_->is_object()) {
    const auto found = value_->find(name);
    if (found != value_->end()) value = &*found;
  }
  return {value, std::move(path)};
}

Result<std::vector<JsonNode>> JsonNode::items(const Form& /*form*/) const {
  if (!value_->is_array()) return fail(ShapeErrc::kInvalid, path_ + " is not a list");
  if (value_->size() > kMaxElements) return fail(ShapeErrc::kInvalid, path_ + " has too many elements");
  std::vector<JsonNode> nodes;
  nodes.reserve(value_->size());
  for (const nlohmann::json& item : *value_) {
    nodes.push_back(JsonNode(&item, path_ + "." + std::to_string(nodes.size() + 1)));
  }
  return nodes;
}

Result<std::vector<std::pair<std::string, JsonNode>>> JsonNode::entries(const Form& /*form*/) const {
  CHECK_OK(structure());
  if (value_->size() > kMaxElements) return fail(ShapeErrc::kInvalid, path_ + " has too many elements");
  std::vector<std::pair<std::string, JsonNode>> entries;
  entries.reserve(value_->size());
  for (const auto& [key, value] : value_->items()) {
    // A null in a map is no entry.
    if (!value.is_null()) entries.emplace_back(key, JsonNode(&value, path_ + "." + key.substr(0, 100)));
  }
  return entries;
}

Result<std::string> JsonNode::text() const {
  if (!value_->is_string()) return fail(ShapeErrc::kInvalid, path_ + " is not a text");
  return value_->get<std::string>();
}

Result<bool> JsonNode::boolean() const {
  if (!value_->is_boolean()) return fail(ShapeErrc::kInvalid, path_ + " is not true or false");
  return value_->get<bool>();
}

Result<std::int64_t> JsonNode::integer() const {
  const bool in_range = value_->is_number_unsigned() ? std::in_range<std::int64_t>(value_->get<std::uint64_t>())
                                                     : value_->is_number_integer();
  if (!in_range) return fail(ShapeErrc::kInvalid, path_ + " is not a whole number");
  return value_->get<std::int64_t>();
}

Result<double> JsonNode::number() const {
  if (value_->is_number()) return value_->get<double>();
  if (value_->is_string()) return parse_number(value_->get_ref<const std::string&>(), path_);
  return fail(ShapeErrc::kInvalid, path_ + " is not a number");
}

Result<Timestamp> JsonNode::time(TimeFormat format) const {
  if (format == TimeFormat::kDefault || format == TimeFormat::kEpochSeconds) {
    if (!value_->is_number()) return fail(ShapeErrc::kInvalid, path_ + " is not a number of seconds");
    return time_of_seconds(value_->get<double>(), path_);
  }
  TRY(const std::string value, text());
  return parse_time(value, format, path_);
}

Result<JsonTarget> parse_awsjson_target(std::string_view header) {
  const std::size_t dot = header.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || !net::is_token(header) || dot + 1 == header.size()) {
    return fail(ShapeErrc::kMalformed, "x-amz-target must name a service and an operation of it: Service.Operation");
  }
  return JsonTarget{header.substr(0, dot), header.substr(dot + 1)};
}

Result<nlohmann::json> parse_awsjson(std::string_view body, const codec::JsonLimits& limits) {
  if (body.empty()) return nlohmann::json::object();
  Result<nlohmann::json> document = codec::parse_json(body, limits);
  if (!document) return fail(ShapeErrc::kMalformed, document.error().message());
  if (!document->is_object()) return fail(ShapeErrc::kMalformed, "the body is not a JSON object");
  return document;
}

nlohmann::ordered_json time_to_awsjson(Timestamp time, TimeFormat format) {
  if (format == TimeFormat::kDateTime || format == TimeFormat::kHttpDate) return format_time(time, format);
  if (time.ms % 1000 == 0) return time.ms / 1000;
  return static_cast<double>(time.ms) / 1000;
}

std::string dump_awsjson(const nlohmann::ordered_json& document) {
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string render_awsjson_error(std::string_view code, std::string_view message) {
  return dump_awsjson({{"__type", code}, {"message", message}});
}

}  // namespace andromede::api::protocols
