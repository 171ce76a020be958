#include "api/protocols/awsquery.h"

#include <algorithm>
#include <charconv>

namespace andromede::api::protocols {
namespace {

using Parameters = std::vector<net::Parameter>;

auto first_from(const Parameters& sorted, std::string_view name) {
  return std::lower_bound(sorted.begin(), sorted.end(), name,
                          [](const net::Parameter& parameter, std::string_view text) { return parameter.name < text; });
}

const net::Parameter* find(const Parameters& sorted, std::string_view name) {
  const auto found = first_from(sorted, name);
  return found != sorted.end() && found->name == name ? &*found : nullptr;
}

// The number that an element's name begins with, up to its end or a dot; nullopt: none from 1 to kMaxElements, or one
// that can be written in another way.
std::optional<unsigned> leading_number(std::string_view text) {
  const std::string_view digits = text.substr(0, text.find('.'));
  unsigned number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (!whole || digits.front() == '0' || number > kMaxElements) return std::nullopt;
  return number;
}

Result<std::string> take(Parameters& parameters, std::string_view name) {
  const auto found = std::find_if(parameters.begin(), parameters.end(),
                                  [name](const net::Parameter& parameter) { return parameter.name == name; });
  if (found == parameters.end()) return fail(ShapeErrc::kMissing, std::string(name) + " is missing");
  std::string value = std::move(found->value);
  parameters.erase(found);
  return value;
}

}  // namespace

bool FormNode::present() const {
  if (path_.empty() || find(*sorted_, path_) != nullptr) return true;
  const std::string below = path_ + ".";
  const auto first = first_from(*sorted_, below);
  return first != sorted_->end() && first->name.starts_with(below);
}

// "List=" is an empty one.
Status FormNode::structure() const {
  const net::Parameter* const itself = find(*sorted_, path_);
  if (itself == nullptr || itself->value.empty()) return {};
  return fail(ShapeErrc::kInvalid, path_ + " has a value of its own, where only what is in it can");
}

FormNode FormNode::member(std::string_view name) const {
  return {*sorted_, path_.empty() ? std::string(name) : path_ + "." + std::string(name)};
}

Result<std::vector<FormNode>> FormNode::numbered(bool flattened, std::string_view wrapper) const {
  CHECK_OK(structure());
  const std::string below = path_ + ".";
  const std::string base = flattened ? below : below + std::string(wrapper) + ".";
  std::vector<unsigned> numbers;
  for (auto at = first_from(*sorted_, below); at != sorted_->end() && at->name.starts_with(below); ++at) {
    const auto number = at->name.starts_with(base) ? leading_number(std::string_view(at->name).substr(base.size()))
                                                   : std::optional<unsigned>();
    if (!number) return fail(ShapeErrc::kInvalid, at->name.substr(0, 200) + " is none of " + base + "N");
    numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<FormNode> nodes;
  nodes.reserve(numbers.size());
  for (const unsigned number : numbers) nodes.emplace_back(*sorted_, base + std::to_string(number));
  return nodes;
}

Result<std::vector<FormNode>> FormNode::items(const Form& form) const { return numbered(form.flattened, form.item); }

Result<std::vector<std::pair<std::string, FormNode>>> FormNode::entries(const Form& form) const {
  TRY(const std::vector<FormNode> nodes, numbered(form.flattened, "entry"));
  std::vector<std::pair<std::string, FormNode>> entries;
  entries.reserve(nodes.size());
  for (const FormNode& node : nodes) {
    TRY(std::string key, node.member(form.key).text());
    entries.emplace_back(std::move(key), node.member(form.value));
  }
  return entries;
}

Result<std::string> FormNode::text() const {
  const net::Parameter* const found = find(*sorted_, path_);
  if (found == nullptr) return fail(ShapeErrc::kInvalid, path_ + " has no value of its own");
  return found->value;
}

Result<QueryRequest> parse_awsquery(std::string_view form) {
  const Result<net::Query> query = net::Query::parse(form, kMaxFormParameters);
  if (!query) return fail(ShapeErrc::kMalformed, query.error().message());
  QueryRequest request;
  request.parameters = query->list();
  TRY(request.action, take(request.parameters, "Action"));
  TRY(request.version, take(request.parameters, "Version"));
  std::sort(request.parameters.begin(), request.parameters.end(),
            [](const net::Parameter& a, const net::Parameter& b) { return a.name < b.name; });
  return request;
}

std::string render_awsquery(std::string_view action, std::string_view xmlns, std::string_view request_id) {
  codec::XmlWriter out;
  out.open(std::string(action) + "Response", xmlns);
  out.open("ResponseMetadata");
  out.element("RequestId", request_id);
  return out.take();
}

std::string render_awsquery_error(std::string_view xmlns, std::string_view request_id, std::string_view code,
                                  std::string_view message, bool ours) {
  codec::XmlWriter out;
  out.open("ErrorResponse", xmlns);
  out.open("Error");
  out.element("Type", ours ? "Receiver" : "Sender");
  out.element("Code", code);
  out.element("Message", message);
  out.close();
  out.element("RequestId", request_id);
  return out.take();
}

}  // namespace andromede::api::protocols
